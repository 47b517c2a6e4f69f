import type { FactShapes } from '#event-store/fact-shapes';
import type { RoomId, UserId } from '#kernel/ids';

/** Which rooms are to be purged, and which never. */
export const PURGES_STREAM = 'purges';

/** `purge-ordered`: a room is to be purged. Who of this server is in it still leaves first, where that is said. */
export interface PurgeOrdered {
  readonly purge_id: string;
  readonly room_id: RoomId;
  /** `deserted`: nobody of this server had had to do with it for as long as the operator lets it be. */
  readonly because: 'deserted' | 'operator';
  readonly users_leave?: true;
}

/** `purge-begun`: it is the room's turn. */
export interface PurgeBegun {
  readonly purge_id: string;
  readonly room_id: RoomId;
  /** Who left because of it, the first ten thousand, and who could not, the first hundred. */
  readonly left?: readonly UserId[];
  readonly stayed?: readonly UserId[];
}

/** `purge-ended`: nothing of the room is left, or why it was not purged. */
export interface PurgeEnded {
  readonly purge_id: string;
  readonly room_id: RoomId;
  readonly refused?: string;
}

/** `room-held`: a room is not purged, until `room-released`. */
export interface RoomHeld {
  readonly room_id: RoomId;
  readonly reason?: string;
}

export type RoomReleased = Pick<RoomHeld, 'room_id'>;

/** How old shapes of these facts become today's. */
export const PURGE_SHAPES = {
  'purge-ordered': [],
  'purge-begun': [],
  'purge-ended': [],
  'room-held': [],
  'room-released': [],
} as const satisfies FactShapes;
