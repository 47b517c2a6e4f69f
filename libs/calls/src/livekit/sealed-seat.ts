import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { keyFor } from '#protocol/signing/key-for';
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

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Whose a place is, for this server alone to read: it stands in the token, LiveKit keeps it with the participant, and shows it to all who are
 * there. No two are alike. `secret`: that of LiveKit, which every process of the server has.
 */
export function sealSeat({ userId, roomId, deviceId }: SeatOwner, secret: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, keyOf(secret), iv);
  const sealed = [
    cipher.update(JSON.stringify([userId, roomId, ...(deviceId === undefined ? [] : [deviceId])])),
    cipher.final(),
  ];
  return Buffer.concat([iv, cipher.getAuthTag(), ...sealed]).toString('base64url');
}

/** Reads that; undefined where it is of somebody else's making. */
export function openSeat(text: string, secret: string): SeatOwner | undefined {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length < IV_BYTES + TAG_BYTES) return undefined;
  const [iv, tag] = [bytes.subarray(0, IV_BYTES), bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES)];
  const decipher = createDecipheriv(CIPHER, keyOf(secret), iv, { authTagLength: TAG_BYTES }).setAuthTag(tag);
  try {
    const opened = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
    const [userId = '', roomId = '', device] = JSON.parse(opened.toString()) as readonly string[]; // written above
    if (!isUserId(userId) || !isRoomId(roomId)) return undefined;
    return { userId, roomId, ...(device === undefined ? {} : { deviceId: device as DeviceId }) };
  } catch {
    return undefined;
  }
}

function keyOf(secret: string): Buffer {
  return keyFor(secret, 'livekit seat');
}
