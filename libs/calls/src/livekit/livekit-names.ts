import { hash } from 'node:crypto';
import type { RoomId, UserId } from '#kernel/ids';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';

/** The slot of calls that know nothing of slots: what clients and lk-jwt-service take for it. */
export const CALL_SLOT = 'm.call#ROOM';

/** How somebody in a call is told to LiveKit. */
export interface CallMember {
  readonly userId: UserId;
  /** `member.id` of their `m.rtc.member` event. */
  readonly memberId: string;
  /** Of clients before the proposal left it out of the name: the device that they say they are. */
  readonly deviceId?: string;
}

/** The room of LiveKit in which a slot's call takes place: MSC4195, "LiveKit room names", as lk-jwt-service has it. */
export function liveKitRoomOf(roomId: RoomId, slotId: string): string {
  return shortNameOf([roomId, slotId]);
}

/**
 * Who somebody in a call is to LiveKit: MSC4195, "LiveKit participant identities". Clients make the same name of what the event says, so one that names
 * a device is given that which it looks for.
 */
export function liveKitIdentityOf({ userId, memberId, deviceId }: CallMember): string {
  return shortNameOf(deviceId === undefined ? [userId, memberId] : [userId, deviceId, memberId]);
}

/** Who somebody is whose membership is a state event, `org.matrix.msc3401.call.member`. */
export function identityOfDevice(userId: UserId, deviceId: string): string {
  return `${userId}:${deviceId}`;
}

function shortNameOf(parts: readonly string[]): string {
  return hash('sha256', canonicalJson([...parts]), 'base64').replace(/=+$/, '');
}
