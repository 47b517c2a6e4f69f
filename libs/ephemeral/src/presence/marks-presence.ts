import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  SetMetadata,
  UseInterceptors,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { finalize, type Observable } from 'rxjs';
import { readJsonBody } from '#http/json-body';
import { type Query, queryEnum } from '#http/query';
import { MatrixError } from '#kernel/matrix-error';
import { Presence } from './presence.js';
import { DEVICE_STATES, type DeviceState } from './presence-state.js';

const MARKS = Symbol.for('annals.MarksPresence');

/** What a route is where its request says nothing of presence, and where that says it. */
interface Marks {
  readonly unlessSaid: DeviceState | undefined;
  readonly saidIn: 'query' | 'body';
}

/** Lets a device be there for as long as a request of it lasts, and a little longer. */
@Injectable()
export class PresenceMarker implements NestInterceptor {
  constructor(
    private readonly reflector: Reflector,
    private readonly presence: Presence,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { requester } = request;
    if (requester === undefined) throw new MatrixError('M_MISSING_TOKEN');
    const { unlessSaid, saidIn } = this.reflector.get<Marks>(MARKS, context.getHandler());
    const said = unlessSaid === undefined ? undefined : (findSaid(request, saidIn) ?? unlessSaid);
    return next.handle().pipe(finalize(await this.presence.connect(requester, said)));
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
  return applyDecorators(SetMetadata(MARKS, { unlessSaid, saidIn } satisfies Marks), UseInterceptors(PresenceMarker));
}
