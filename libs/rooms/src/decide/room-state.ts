import type { EventId } from '#kernel/ids';
import { atOnce, each, type Steps } from '#kernel/steps';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { isStateDeletion } from '#protocol/state-deletion';
import { diffTries, type StateTrie } from '#protocol/state-trie/state-trie';
import type { PduWithState, StateChange } from '../facts/room-facts.js';

/** The state after an event that was allowed: a state event holds its key, or leaves it to nothing. */
export function stateAfterEvent(before: StateTrie, event: RoomEvent, version: RoomVersion): StateTrie {
  const { type, stateKey, eventId } = event;
  if (stateKey === undefined) return before;
  return isStateDeletion(event, version) ? before.delete(type, stateKey) : before.set(type, stateKey, eventId);
}

/** A state with some changes made to it. */
export function changedBy(state: StateTrie, changes: readonly StateChange[]): StateTrie {
  return state.change(
    changes.map(({ type, state_key: stateKey, event_id: id }) => ({ type, stateKey, eventId: id ?? undefined })),
  );
}

/** `held_before` of a state event that was allowed: nothing where its base has the same as the state before it. */
export function tellHeldBefore(
  { type, stateKey }: RoomEvent,
  base: StateTrie,
  before: StateTrie,
): Pick<PduWithState, 'held_before'> {
  if (stateKey === undefined || base === before) return {};
  const held = before.get(type, stateKey);
  return held === base.get(type, stateKey) ? {} : { held_before: (held as EventId | undefined) ?? null };
}

/** What leads from one state to another. */
export function changesBetween(before: StateTrie, after: StateTrie): StateChange[] {
  return atOnce(changesInSteps(before, after));
}

/** `changesBetween`, in steps: behind a gap all of a room may be another. */
export function* changesInSteps(before: StateTrie, after: StateTrie): Steps<StateChange[]> {
  const changes: StateChange[] = [];
  yield* each(diffTries(before, after), ({ type, stateKey, before: replaces, after: eventId }) => {
    const change = { type, state_key: stateKey, event_id: eventId ?? null };
    changes.push(replaces === undefined ? change : { ...change, replaces });
  });
  return changes;
}
