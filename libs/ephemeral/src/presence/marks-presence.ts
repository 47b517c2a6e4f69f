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
import { type Query, queryEnum } from '#http/query';
import { MatrixError } from '#kernel/matrix-error';
import { Presence } from './presence.js';
import { DEVICE_STATES, type DeviceState } from './presence-state.js';

const MARKS = Symbol.for('annals.MarksPresence');

/** What a route is where its query says nothing of presence. */
interface Marks {
  readonly unlessSaid: DeviceState | undefined;
}

/** Lets a device be there for as long as a request of it lasts, and a little longer. */
@Injectable()
export class PresenceMarker implements NestInterceptor {
  constructor(
    private readonly reflector: Reflector,
    private readonly presence: Presence,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const { requester, query } = context.switchToHttp().getRequest<FastifyRequest>();
    if (requester === undefined) throw new MatrixError('M_MISSING_TOKEN');
    const { unlessSaid } = this.reflector.get<Marks>(MARKS, context.getHandler());
    const said =
      unlessSaid === undefined ? undefined : (queryEnum(query as Query, 'set_presence', DEVICE_STATES) ?? unlessSaid);
    return next.handle().pipe(finalize(await this.presence.connect(requester, said)));
  }
}

/**
 * For a route that is an event stream: who asks there is there, as `set_presence` of the query says, else as `unlessSaid` does. An event
 * stream of 2014/15 (undefined) says nothing: what was set lasts. Throws M_INVALID_PARAM for another `set_presence`. Only behind
 * `Authenticated`. Both dialects' `/events`, `/sync` and sliding sync have it.
 */
export function MarksPresence(unlessSaid?: DeviceState): MethodDecorator {
  return applyDecorators(SetMetadata(MARKS, { unlessSaid } satisfies Marks), UseInterceptors(PresenceMarker));
}
