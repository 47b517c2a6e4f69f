import { keyFor } from '#protocol/signing/key-for';
import { openText, sealText } from '#protocol/signing/sealed-text';
import { type DeviceId, isRoomId, isUserId, type RoomId, type UserId } from '#kernel/ids';

/** Who asks for a place in a call. */
export interface Caller {
  readonly userId: UserId;
  /** Of whose session here it is asked for; undefined where there is none: for users of other servers, and of services that named no device. */
  readonly deviceId?: DeviceId;
}

/** A service that named no device has no session. */
export function callerOf({ userId, deviceId }: { readonly userId: UserId; readonly deviceId: DeviceId }): Caller {
  return deviceId === '' ? { userId } : { userId, deviceId };
}

/** Whose a place in a call is, and in which room that is. */
export interface SeatOwner extends Caller {
  readonly roomId: RoomId;
}

/**
 * Whose a place is, for this server alone to read: it stands in the token, LiveKit keeps it with the participant, and shows it to all who are
 * there. No two are alike. `secret`: that of LiveKit, which every process of the server has.
 */
export function sealSeat({ userId, roomId, deviceId }: SeatOwner, secret: string): string {
  const place = [userId, roomId, ...(deviceId === undefined ? [] : [deviceId])];
  return sealText(keyOf(secret), JSON.stringify(place));
}

/** Reads that; undefined where it is of somebody else's making. */
export function openSeat(text: string, secret: string): SeatOwner | undefined {
  const opened = openText(keyOf(secret), text);
  if (opened === undefined) return undefined;
  const [userId = '', roomId = '', device] = JSON.parse(opened) as readonly string[]; // as `sealSeat` wrote it
  if (!isUserId(userId) || !isRoomId(roomId)) return undefined;
  return { userId, roomId, ...(device === undefined ? {} : { deviceId: device as DeviceId }) };
}

function keyOf(secret: string): Buffer {
  return keyFor(secret, 'livekit seat');
}
