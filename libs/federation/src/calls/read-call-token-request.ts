import { IsObject, IsOptional, IsString, MaxLength } from 'class-validator';
import { checkDto } from '#http/json-body';
import { parseRoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { CallTokenRequest } from './call-tokens.js';

/** Slots are state keys, and ids of members are sticky keys: no longer than these. */
const LONGEST = 255;
const LONGEST_URL = 2_048;

class Member {
  @IsString() @MaxLength(LONGEST) id!: string;
  @IsOptional() @IsString() @MaxLength(LONGEST) claimed_device_id?: string;
}

class Body {
  @IsString() @MaxLength(LONGEST_URL) url!: string;
  @IsString() room_id!: string;
  @IsString() @MaxLength(LONGEST) slot_id!: string;
  @IsOptional() @IsString() @MaxLength(LONGEST) member_id?: string;
  @IsOptional() @IsObject() member?: JsonObject;
}

/**
 * Reads what clients and servers ask alike. The member is named by `member_id`, or as it was before: by an object, in which
 * matrix-js-sdk 43 names the device. Throws M_BAD_JSON, M_MISSING_PARAM and M_INVALID_PARAM.
 */
export function readCallTokenRequest(content: JsonObject): CallTokenRequest {
  const { url, room_id: roomId, slot_id: slotId, member_id: memberId, member } = checkDto(Body, content);
  const named = memberId === undefined ? checkDto(Member, member ?? {}) : { id: memberId };
  return { url, roomId: parseRoomId(roomId), slotId, memberId: named.id, deviceId: deviceOf(named) };
}

function deviceOf({ claimed_device_id: deviceId }: Pick<Member, 'claimed_device_id'>): string | undefined {
  return deviceId === '' ? undefined : deviceId;
}
