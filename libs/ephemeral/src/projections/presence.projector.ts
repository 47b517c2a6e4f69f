import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, asMark, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { keptIn, type PresenceKept, userIdOfPresence } from '../facts/presence-facts.js';

/** What is kept of somebody's presence, and where that was said. */
export interface PresenceRow extends PresenceKept {
  readonly pos: Position;
}

export const PRESENCE = new Collection<readonly [userId: UserId], PresenceRow>('presence', {
  key: ['user'],
  says: 'when they last did something, what they chose for all devices, their message',
  codec: asJson(),
});

export const PRESENT = new Collection<readonly [userId: UserId], true>('present', {
  key: ['user'],
  says: 'that others may have been told that they are there',
  codec: asMark,
});

/** What outlives a restart of everybody's presence, and whom others may believe to be there. */
export const presenceProjector: Projector = {
  name: 'presence',
  version: 1,
  ...owning(PRESENCE, PRESENT),
  handles: (type) => type === 'presence-kept',
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const key = [userIdOfPresence(fact.stream)] as const;
  const before = await PRESENCE.get(rows, key);
  if (before !== undefined && before.pos > fact.position) return; // applied before, and a newer one since
  const kept = keptIn(fact);
  PRESENCE.put(rows, key, { ...kept, pos: fact.position });
  if (kept.present === true) PRESENT.put(rows, key, true);
  else PRESENT.delete(rows, key);
}
