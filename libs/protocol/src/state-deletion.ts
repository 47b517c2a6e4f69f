import type { RoomEvent } from './room-event.js';
import type { RoomVersion } from './room-versions/room-version.js';

/** What a state event says in its content to leave its key to nothing. */
export const DELETED = 'dev.annals.deleted';

/**
 * What must not be deleted. By the first five everything else is authorised (`selectAuthTypes`): without them other rules would
 * hold than anybody set, and as a deletion loses all conflicts, whom it kept out could bring back what let them in. Encryption is
 * never turned off again: client-server API, "m.room.encryption".
 */
const LASTING: ReadonlySet<string> = new Set([
  'm.room.create',
  'm.room.member',
  'm.room.power_levels',
  'm.room.join_rules',
  'm.room.third_party_invite',
  'm.room.encryption',
]);

/** Whether state of this type may be deleted, in room versions that have deletion. */
export function isDeletable(type: string): boolean {
  return !LASTING.has(type);
}

/**
 * Whether a state event removes its key from the state instead of holding it: the basis of 2015, "Deleting State". It stays in the
 * graph, and loses every conflict, as nothing does against something. Only in room versions that have it.
 */
export function isStateDeletion(
  { stateKey, content }: Pick<RoomEvent, 'stateKey' | 'content'>,
  version: RoomVersion,
): boolean {
  return version.stateDeletion && stateKey !== undefined && content[DELETED] === true;
}
