import { Controller, HttpCode, Param, Post, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { parseRoomId, type ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { ExchangeInvite } from '#rooms/commands/exchange-invite';
import { thirdPartySignedOf } from '#rooms/commands/third-party-invite';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { BoundInvites } from '../joining/bound-invites.js';
import { FromServer, Origin, ServerContent } from './from-server.js';
import { parsePeersUser } from './parse-peers-user.js';

/** Invitations of third-party identifiers, once it is known whose they are: server-server API, "Third-party invites". */
@FromServer()
@Controller('_matrix/federation/v1')
export class ThirdPartyInvitesController {
  constructor(private readonly commands: CommandBus) {}

  @Put('exchange_third_party_invite/:roomId')
  @HttpCode(200)
  async exchange(
    @Origin() origin: ServerName,
    @Param('roomId') room: string,
    @ServerContent() event: JsonObject,
  ): Promise<object> {
    const { type, room_id: named, state_key: userId, content } = event;
    const roomId = parseRoomId(room);
    const invite = isJsonObject(content) ? content['third_party_invite'] : undefined;
    const signed = thirdPartySignedOf({ third_party_signed: isJsonObject(invite) ? invite['signed'] : undefined });
    const isInvite = type === 'm.room.member' && isJsonObject(content) && content['membership'] === 'invite';
    if (!isInvite || signed === undefined || named !== roomId) {
      throw new MatrixError('M_INVALID_PARAM', 'This is no third-party invite of the room');
    }
    await this.commands.execute(new ExchangeInvite(origin, roomId, parsePeersUser(userId), signed));
    return {};
  }
}

/**
 * What identity servers tell of users here whose addresses they know now: server-server API, "Third-party invites". Their signature cannot be asked for, since
 * nobody says which identity servers there are. POST: as the identity service API has it, and identity servers of before do.
 */
@Controller('_matrix/federation/v1/3pid')
export class OnbindController {
  constructor(private readonly invites: BoundInvites) {}

  @RateLimited('inviting')
  @Put('onbind')
  async onbind(@JsonBody(undefined, { exactNumbers: true }) body: JsonObject): Promise<object> {
    await this.invites.take(body);
    return {};
  }

  @RateLimited('inviting')
  @HttpCode(200)
  @Post('onbind')
  onbindByPost(@JsonBody(undefined, { exactNumbers: true }) body: JsonObject): Promise<object> {
    return this.onbind(body);
  }
}
