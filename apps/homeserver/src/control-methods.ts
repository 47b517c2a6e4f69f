import type { ControlMethod } from '#projections/control-server';
import type { ControlRequest } from '#projections/control-socket';
import type { ProjectionOperations } from '#projections/projection-operations';

/** What the command line can ask of a running server. */
export function controlMethods(projections: ProjectionOperations): Readonly<Record<string, ControlMethod>> {
  return {
    'projections.list': () => projections.list(),
    'projections.status': (request) => projections.status(nameOf(request)),
    'projections.rebuild': (request) =>
      projections.rebuild(nameOf(request), {
        switchByHand: request.switchByHand === true,
        fromStart: request.fromStart === true,
      }),
    'projections.pause': (request) =>
      projections.pause(nameOf(request), typeof request.reason === 'string' ? request.reason : 'by an operator'),
    'projections.resume': (request) => projections.resume(nameOf(request)),
    'projections.cancel': (request) => projections.cancel(nameOf(request)),
    'projections.switch': (request) => projections.switch(nameOf(request)),
    'projections.rollback': (request) => projections.rollback(nameOf(request)),
    'projections.throttle': ({ factsPerSecond }) =>
      projections.throttle(typeof factsPerSecond === 'number' && factsPerSecond > 0 ? factsPerSecond : undefined),
    'projections.dead-letters': ({ name }) => projections.deadLetters(name),
    'projections.checksum': (request) => projections.checksum(nameOf(request)),
  };
}

function nameOf(request: ControlRequest): string {
  if (typeof request.name !== 'string') throw new Error(`${request.method}: which projection?`);
  return request.name;
}
