import type { UserId } from '#kernel/ids';

/** What access lists need of who knows rooms; `libs/rooms` implements it. */
export interface RoomsInCommon {
  /** Whether two users are in a room together. */
  has(one: UserId, other: UserId): Promise<boolean>;
}

/** Injection token of the RoomsInCommon; where there is none, nobody shares a room. */
export const ROOMS_IN_COMMON = Symbol.for('annals.RoomsInCommon');
