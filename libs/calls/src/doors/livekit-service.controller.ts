import { Controller, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { IsObject, IsOptional, IsString, Matches, MaxLength } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { LIVEKIT_SERVICE_PATH } from '#config/livekit-config';
import { checkDto, JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { isServerName, parseRoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { CLOCK, type Clock } from '#kernel/clock';
import { type LiveKitAccess, type OpenIdSeat, TradeOpenIdToken } from '../commands/trade-openid-token.js';
import { CallsOfMembers } from '../calls-of-members.js';
import { DelegatedLeaves } from '../delegated-leaves.js';
import { CALL_SLOT, identityOfDevice, liveKitIdentityOf } from '../livekit/livekit-names.js';
import type { OpenIdToken } from '../livekit/openid-users.js';
import { readPassage } from '../livekit/read-passage.js';

const LONGEST = 255;
const LONGEST_TOKEN = 4_096;

class OpenIdTokenBody {
  @IsString() @MaxLength(LONGEST_TOKEN) access_token!: string;
  @IsString() matrix_server_name!: string;
}

class OldBody {
  @IsString() room!: string;
  @IsObject() openid_token!: JsonObject;
  /** Behind a colon, at the end of the name: with one in it it could be the name of somebody of a server with a port. */
  @IsString() @MaxLength(LONGEST) @Matches(/^[^:]*$/, { message: 'must be without colons' }) device_id!: string;
  @IsOptional() @IsString() @MaxLength(LONGEST) delay_id?: string;
}

class SeatBody {
  @IsString() room_id!: string;
  @IsString() @MaxLength(LONGEST) slot_id!: string;
  @IsObject() openid_token!: JsonObject;
  @IsObject() member!: JsonObject;
}

class Body extends SeatBody {
  @IsOptional() @IsString() @MaxLength(LONGEST) delay_id?: string;
}

class LeaveBody extends SeatBody {
  @IsString() @MaxLength(LONGEST) delay_id!: string;
}

class MemberBody {
  @IsString() @MaxLength(LONGEST) id!: string;
  @IsString() claimed_user_id!: string;
  @IsString() @MaxLength(LONGEST) claimed_device_id!: string;
}

/**
 * What lk-jwt-service does, for clients that look for that: beside LiveKit no other service is needed. Clients of other servers come too, whom
 * only their server knows; so who asks for too many is known by the address.
 */
@RateLimited('unknown-server')
@Controller(LIVEKIT_SERVICE_PATH)
export class LiveKitServiceController {
  constructor(
    private readonly trading: TradeOpenIdToken,
    private readonly leaves: DelegatedLeaves,
    private readonly calls: CallsOfMembers,
    @Inject(CONFIG) private readonly config: Pick<Config, 'livekit'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Of memberships that are state events: whoever has one is known by the device. */
  @Post('sfu/get')
  @HttpCode(200)
  ofDevice(@JsonBody(OldBody) body: OldBody): Promise<LiveKitAccess> {
    const { room, openid_token: token, device_id: deviceId, delay_id: delayId } = body;
    return this.trading.trade({
      openId: readToken(token),
      roomId: parseRoomId(room),
      slotId: CALL_SLOT,
      identityOf: (userId) => identityOfDevice(userId, deviceId),
      delayId: unlessEmpty(delayId),
    });
  }

  /** Of memberships that are sticky events. */
  @Post('get_token')
  @HttpCode(200)
  ofMember(@JsonBody(Body) body: Body): Promise<LiveKitAccess> {
    return this.trading.trade({ ...readSeat(body), delayId: unlessEmpty(body.delay_id) });
  }

  @Post('delegate_delayed_leave')
  @HttpCode(200)
  async delegate(@JsonBody(LeaveBody) body: LeaveBody): Promise<object> {
    await this.trading.delegate(readSeat(body), body.delay_id);
    return {};
  }

  /** What LiveKit says of itself, where its configuration names this: by it a hang-up is sent, and who may not be there is put out, at once and not at the next look. */
  @Post('sfu_webhook')
  @RateLimited('default')
  @HttpCode(200)
  async heard(@Req() { headers, body }: FastifyRequest): Promise<object> {
    const { livekit } = this.config;
    if (livekit === undefined) throw new MatrixError('M_UNRECOGNIZED');
    const said = { token: headers.authorization ?? '', body: Buffer.isBuffer(body) ? body : Buffer.alloc(0) };
    const passage = readPassage(said, livekit, this.clock.now());
    if (passage?.came === true) await this.calls.noteCame(passage.room, passage);
    if (passage?.came === false) await this.leaves.noteLeft(passage.room, passage.identity);
    return {};
  }
}

function readSeat({ room_id: roomId, slot_id: slotId, openid_token: token, member }: SeatBody): OpenIdSeat {
  const { id: memberId, claimed_user_id: claimedUserId, claimed_device_id: deviceId } = checkDto(MemberBody, member);
  return {
    openId: readToken(token),
    claimedUserId,
    roomId: parseRoomId(roomId),
    slotId,
    identityOf: (userId) => liveKitIdentityOf({ userId, memberId, deviceId }),
  };
}

/** Nothing that is looked after, to lk-jwt-service. */
const unlessEmpty = (delayId: string | undefined): string | undefined => (delayId === '' ? undefined : delayId);

function readToken(token: JsonObject): OpenIdToken {
  const { access_token: accessToken, matrix_server_name: server } = checkDto(OpenIdTokenBody, token);
  if (!isServerName(server)) throw new MatrixError('M_BAD_JSON', 'matrix_server_name: not a server name');
  return { accessToken, server };
}
