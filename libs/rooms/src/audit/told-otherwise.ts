import type { RoomEvent } from '#protocol/room-event';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { heldBefore, type PduWithState, type StateChange } from '../facts/room-facts.js';

/** What is wrong with what became of an event, by why the rules refuse it. */
export function outcomeProblems({ eventId }: RoomEvent, refusal: string | undefined, isRejected: boolean): string[] {
  if (refusal === undefined) return isRejected ? [`${eventId}: rejected, though the rules allow it`] : [];
  return isRejected ? [] : [`${eventId}: not authorised by the state before it: ${refusal}`];
}

/** What is wrong with what is told of its key in the state before it. */
export function heldBeforeProblems(
  { eventId, type, stateKey }: RoomEvent,
  body: PduWithState,
  before: StateTrie,
): string[] {
  const held = stateKey === undefined ? undefined : before.get(type, stateKey);
  const told = heldBefore(body);
  return told === held
    ? []
    : [`${eventId}: its key was held by ${held ?? 'nothing'} before it, not ${told ?? 'nothing'}`];
}

/** Whether two lists of changes are the same in whatever order. */
export function isSameChange(expected: readonly StateChange[], told: readonly StateChange[]): boolean {
  const texts = (changes: readonly StateChange[]): string =>
    changes
      .map(({ type, state_key: key, event_id: id, replaces }) => JSON.stringify([type, key, id, replaces]))
      .sort()
      .join();
  return texts(expected) === texts(told);
}
