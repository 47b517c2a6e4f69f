import { RoomIsPartial } from '../partial-room.js';
import type { EventDraft } from './decide-event.js';
import type { RoomHead } from './room-head.js';

/** NOTSPEC: so many events are sent to a room before all of it is here: what each stands on is told once more then. */
const MOST_UPON = 1_000;

/** Throws RoomIsPartial where some of a room is not here, for what is made of all of it. */
export function refusePart({ partial }: Pick<RoomHead, 'partial'>): void {
  if (partial !== undefined) throw new RoomIsPartial();
}

/**
 * Throws RoomIsPartial for what the state of a room that lacks members cannot decide: all that makes somebody a member, or none any more,
 * but who leaves or says something else of themself. Messages and other state rest on what was told.
 */
export function refuseWhilePartial({ partial, state }: Pick<RoomHead, 'partial' | 'state'>, draft: EventDraft): void {
  if (partial === undefined) return;
  const { type, sender, stateKey, content } = draft;
  if (partial.upon.length >= MOST_UPON) throw new RoomIsPartial();
  if (type !== 'm.room.member') return;
  const isOfOneself = stateKey === sender && state.get(type, sender) !== undefined;
  if (!isOfOneself || (content['membership'] !== 'leave' && content['membership'] !== 'join'))
    throw new RoomIsPartial();
}
