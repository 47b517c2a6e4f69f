import type { LiveKitConfig } from '#config/livekit-config';
import type { JsonObject } from '#kernel/json';
import { sealSeat, type SeatOwner } from './sealed-seat.js';
import { signWebToken } from './web-token.js';

/** As long as a client may wait before it connects: who is connected is given new ones by LiveKit itself. */
const LIFETIME_SECONDS = 60 * 60;
/** For one request of this server. */
const ADMIN_LIFETIME_SECONDS = 60;

type Keys = Pick<LiveKitConfig, 'key' | 'secret'>;

/** A place in a room of LiveKit. */
export interface Seat {
  readonly room: string;
  readonly identity: string;
  readonly mayPublish: boolean;
  readonly owner: SeatOwner;
}

/** What lets a client take its place in a room that is there: MSC4195, "Access token properties". `now` in milliseconds. */
export function seatToken({ room, identity, mayPublish, owner }: Seat, keys: Keys, now: number): string {
  const video = {
    room,
    roomJoin: true,
    // It would let its bearer delete any room as well.
    roomCreate: false,
    canPublish: mayPublish,
    canSubscribe: true,
    canUpdateOwnMetadata: false,
    hidden: false,
  };
  const metadata = sealSeat(owner, keys.secret);
  return tokenOf({ sub: identity, metadata, video }, LIFETIME_SECONDS, keys, now);
}

/** What lets this server ask LiveKit for something: `grants` are those of one request. `now` in milliseconds. */
export function adminToken(grants: JsonObject, keys: Keys, now: number): string {
  return tokenOf({ video: grants }, ADMIN_LIFETIME_SECONDS, keys, now);
}

function tokenOf(claims: JsonObject, lifetime: number, { key, secret }: Keys, now: number): string {
  const nbf = Math.floor(now / 1_000);
  return signWebToken({ iss: key, nbf, exp: nbf + lifetime, ...claims }, secret);
}
