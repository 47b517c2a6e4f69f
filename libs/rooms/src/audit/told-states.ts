import type { EventId } from '#kernel/ids';
import { type StateEntry, type StateTrie, trieOf } from '#protocol/state-trie/state-trie';
import type { StateLearnt } from '../facts/join-facts.js';

/** A state as far as its parts are here: the entries of these or, once all are here, the whole. */
interface ToldSoFar {
  readonly parts: number;
  readonly entries: StateEntry[];
  readonly whole?: StateTrie;
}

/** The states that other servers told, until the events before which they are have been looked at. */
export class ToldStates {
  readonly #states = new Map<EventId, ToldSoFar>();

  /** Takes a part; answers what is wrong with it. The first begins anew: a join was given up, and begun again. */
  take({ event_id: eventId, part, parts, root, state }: StateLearnt): string[] {
    const known = part === 1 ? { parts: 0, entries: [] } : this.#states.get(eventId);
    if (known?.parts !== part - 1) return [`part ${part} of the state before ${eventId} is out of turn`];
    const { entries } = known;
    for (const [type, stateKey, id] of state) entries.push({ type, stateKey, eventId: id });
    if (part < parts) {
      this.#states.set(eventId, { parts: part, entries });
      return [];
    }
    const whole = trieOf(entries);
    this.#states.set(eventId, { parts: part, entries: [], whole });
    const { rootHash } = whole;
    return rootHash === root ? [] : [`the state before ${eventId} has the root ${rootHash}, not ${root}`];
  }

  /** The state before an event, once all parts are here. */
  find(eventId: EventId): StateTrie | undefined {
    return this.#states.get(eventId)?.whole;
  }

  forget(eventId: EventId): void {
    this.#states.delete(eventId);
  }
}
