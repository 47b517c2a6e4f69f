import { Controller, HttpCode, Post } from '@nestjs/common';
import { IsObject, IsOptional, IsString, MaxLength } from 'class-validator';
import { LIVEKIT_SERVICE_PATH } from '#config/livekit-config';
import { checkDto, JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { isServerName, parseRoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { type LiveKitAccess, TradeOpenIdToken } from '../commands/trade-openid-token.js';
import { CALL_SLOT, identityOfDevice, liveKitIdentityOf } from '../livekit/livekit-names.js';
import type { OpenIdToken } from '../livekit/openid-users.js';

const LONGEST = 255;
const LONGEST_TOKEN = 4_096;

class OpenIdTokenBody {
  @IsString() @MaxLength(LONGEST_TOKEN) access_token!: string;
  @IsString() matrix_server_name!: string;
}

class DelayBody {
  @IsOptional() delay_id?: unknown;
}

class OldBody extends DelayBody {
  @IsString() room!: string;
  @IsObject() openid_token!: JsonObject;
  @IsString() @MaxLength(LONGEST) device_id!: string;
}

class Body extends DelayBody {
  @IsString() room_id!: string;
  @IsString() @MaxLength(LONGEST) slot_id!: string;
  @IsObject() openid_token!: JsonObject;
  @IsObject() member!: JsonObject;
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
  constructor(private readonly trading: TradeOpenIdToken) {}

  /** Of memberships that are state events: whoever has one is known by the device. */
  @Post('sfu/get')
  @HttpCode(200)
  ofDevice(
    @JsonBody(OldBody)
    { room, openid_token: token, device_id: deviceId, ...more }: OldBody,
  ): Promise<LiveKitAccess> {
    checkDelegatesNothing(more);
    return this.trading.trade({
      openId: readToken(token),
      roomId: parseRoomId(room),
      slotId: CALL_SLOT,
      identityOf: (userId) => identityOfDevice(userId, deviceId),
    });
  }

  /** Of memberships that are sticky events. */
  @Post('get_token')
  @HttpCode(200)
  ofMember(
    @JsonBody(Body)
    { room_id: roomId, slot_id: slotId, openid_token: token, member, ...more }: Body,
  ): Promise<LiveKitAccess> {
    checkDelegatesNothing(more);
    const { id: memberId, claimed_user_id: claimedUserId, claimed_device_id: deviceId } = checkDto(MemberBody, member);
    return this.trading.trade({
      openId: readToken(token),
      claimedUserId,
      roomId: parseRoomId(roomId),
      slotId,
      identityOf: (userId) => liveKitIdentityOf({ userId, memberId, deviceId }),
    });
  }
}

function readToken(token: JsonObject): OpenIdToken {
  const { access_token: accessToken, matrix_server_name: server } = checkDto(OpenIdTokenBody, token);
  if (!isServerName(server)) throw new MatrixError('M_BAD_JSON', 'matrix_server_name: not a server name');
  return { accessToken, server };
}

/** By this code Element Call knows that it has to see to its hang-up itself. */
function checkDelegatesNothing({ delay_id: delayId }: DelayBody): void {
  if (delayId !== undefined && delayId !== '')
    throw new MatrixError('M_BAD_JSON', 'delay_id: it is not looked after here');
}
