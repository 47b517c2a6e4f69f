import type { RoomEvent } from './room-event.js';
import type { RoomVersion } from './room-versions/room-version.js';

/** What a state event says in its content to leave its key to nothing. */
export const DELETED = 'dev.annals.deleted';

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
