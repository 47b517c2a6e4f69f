import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { isRoomId, isUserId, type RoomId, type UserId } from '#kernel/ids';

/** Whose a place in a call is, and in which room that is. */
export interface SeatOwner {
  readonly userId: UserId;
  readonly roomId: RoomId;
}

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Whose a place is, for this server alone to read: it stands in the token, LiveKit keeps it with the participant, and shows it to all who are
 * there. No two are alike. `secret`: that of LiveKit, which every process of the server has.
 */
export function sealSeat({ userId, roomId }: SeatOwner, secret: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, keyOf(secret), iv);
  const sealed = [cipher.update(JSON.stringify([userId, roomId])), cipher.final()];
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
    const [userId, roomId] = JSON.parse(opened.toString()) as readonly string[]; // written above
    return isUserId(userId ?? '') && isRoomId(roomId ?? '') ? { userId: userId as UserId, roomId: roomId as RoomId } : undefined; // prettier-ignore
  } catch {
    return undefined;
  }
}

function keyOf(secret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'annals livekit seat', 32));
}
