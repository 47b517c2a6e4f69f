import { Controller, HttpCode, Param, Put } from '@nestjs/common';
import { RateLimits } from '#http/rate-limits';
import { isUserId, parseRoomId, type ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { FIRST_ROOM_VERSION } from '#protocol/room-versions/room-versions';
import { TakeInvite } from '#rooms/commands/take-invite';
import { InviteHandshakes } from '../joining/invite-handshakes.js';
import { FromServer, Origin, ServerContent } from './from-server.js';

/** Invitations of users here by users of other servers: server-server API, "Inviting to a room". */
@FromServer()
@Controller('_matrix/federation')
export class InvitesController {
  constructor(
    private readonly handshakes: InviteHandshakes,
    private readonly limits: RateLimits,
  ) {}

  @Put('v2/invite/:roomId/:eventId')
  @HttpCode(200)
  async invite(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
    @ServerContent() { event, room_version: version, invite_room_state: told }: JsonObject,
  ): Promise<object> {
    if (!isJsonObject(event)) throw new MatrixError('M_BAD_JSON', 'event: must be an object');
    if (typeof version !== 'string') throw new MatrixError('M_MISSING_PARAM', 'room_version: required');
    this.#limit(origin, event);
    const ids = [parseRoomId(roomId), eventId] as const;
    return { event: await this.handshakes.take(new TakeInvite(origin, ...ids, version, event, listOf(told))) };
  }

  /** Which version the room has is not said: it is one of those that there were then, of which the rules of an invitation are the same. */
  @Put('v1/invite/:roomId/:eventId')
  @HttpCode(200)
  async inviteV1(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
    @ServerContent() event: JsonObject,
  ): Promise<readonly unknown[]> {
    this.#limit(origin, event);
    const { unsigned } = event;
    const told = isJsonObject(unsigned) ? unsigned['invite_room_state'] : undefined;
    const ids = [parseRoomId(roomId), eventId] as const;
    const taken = await this.handshakes.take(new TakeInvite(origin, ...ids, FIRST_ROOM_VERSION, event, listOf(told)));
    return [200, { event: taken }];
  }

  /** What comes with an invitation is kept, and anybody can invite: throws M_LIMIT_EXCEEDED for a flood of them, which is no other server's fault. */
  #limit(origin: ServerName, { state_key: invited }: JsonObject): void {
    this.limits.check('inviting', origin);
    if (typeof invited === 'string' && isUserId(invited)) this.limits.check('inviting-user', `${origin} ${invited}`);
  }
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}
