import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { readJsonBody } from '#http/json-body';
import { type Query, queryEnum } from '#http/query';
import { MatrixError } from '#kernel/matrix-error';
import { Presence } from './presence.js';
import { DEVICE_STATES, type DeviceState } from './availability.js';

const MARKS = Symbol.for('annals.MarksPresence');

/** What a route is where its request says nothing of presence, and where that says it. */
interface Marks {
  readonly unlessSaid: DeviceState | undefined;
  readonly saidIn: 'query' | 'body';
}

/**
 * Lets a device be there for as long as a request of it lasts, and a little longer. PERF: a guard, for what an interceptor makes of
 * observables is a fifth of the memory that a request takes while it waits.
 */
@Injectable()
export class PresenceMarker implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly presence: Presence,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const { requester } = request;
    if (requester === undefined) throw new MatrixError('M_MISSING_TOKEN');
    const { unlessSaid, saidIn } = this.reflector.get<Marks>(MARKS, context.getHandler());
    const said = unlessSaid === undefined ? undefined : (findSaid(request, saidIn) ?? unlessSaid);
    const end = await this.presence.connect(requester, said);
    const { raw } = http.getResponse<FastifyReply>();
    raw.once('close', end);
    if (raw.destroyed) end(); // it has closed meanwhile
    return true;
  }
}

function findSaid(request: FastifyRequest, saidIn: Marks['saidIn']): DeviceState | undefined {
  if (saidIn === 'query') return queryEnum(request.query as Query, 'set_presence', DEVICE_STATES);
  const { set_presence: said } = readJsonBody(request, { allowEmpty: true });
  if (said !== undefined && said !== null && typeof said !== 'string')
    throw new MatrixError('M_INVALID_PARAM', 'set_presence: not a text');
  return queryEnum({ set_presence: said ?? undefined }, 'set_presence', DEVICE_STATES);
}

/**
 * For a route that is an event stream: who asks there is there, as `set_presence` of the request says, else as `unlessSaid` does. An event
 * stream of 2014/15 (undefined) says nothing: what was set lasts. Throws M_INVALID_PARAM for another `set_presence`. Only behind
 * `Authenticated`. Both dialects' `/events`, `/sync` and sliding sync have it.
 */
export function MarksPresence(unlessSaid?: DeviceState, saidIn: Marks['saidIn'] = 'query'): MethodDecorator {
  return applyDecorators(SetMetadata(MARKS, { unlessSaid, saidIn } satisfies Marks), UseGuards(PresenceMarker));
}
