import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { type StateEntry, StateTrie } from '#protocol/state-trie/state-trie';

/**
 * A state that another server tells, event by event (server-server API, "Retrieving state"). A state with two events for one key,
 * an event that is no state, or without the room's create event is none.
 */
export class LearningState {
  readonly #held = new Set<string>();
  #state = StateTrie.empty;
  #waiting: StateEntry[] = [];
  #longest = 0;

  /** What has been taken so far. PERF: set together, so that a branch is copied once (`StateTrie.change`). */
  get state(): StateTrie {
    this.#state = this.#state.change(this.#waiting);
    this.#waiting = [];
    return this.#state;
  }

  /** The most bytes that an entry takes in a fact. */
  get longest(): number {
    return this.#longest;
  }

  /** Takes the next event, which is not rejected. Answers why what is told is no state; undefined where it may be one. */
  take({ eventId, type, stateKey }: Pick<RoomEvent, 'eventId' | 'type' | 'stateKey'>): string | undefined {
    if (stateKey === undefined) return `${eventId} is no state`;
    const key = stateKeyOf(type, stateKey);
    if (this.#held.has(key)) return `Two events for ${type}`;
    this.#held.add(key);
    const entry = { type, stateKey, eventId };
    this.#longest = Math.max(this.#longest, bytesOf(entry));
    this.#waiting.push(entry);
    return undefined;
  }

  /** Why all that was told is no state of the room; undefined where it is one. */
  findFault(createEvent: EventId | undefined): string | undefined {
    const holds = createEvent !== undefined && this.state.get('m.room.create', '') === createEvent;
    return holds ? undefined : 'The state does not hold the create event of the room';
  }
}

const PLAIN = /^[ !#-[\]-~]*$/;
/** Quotes, commas and brackets of an entry. */
const BESIDES = 11;

/** No fewer bytes than an entry of a state takes as JSON, which may write six for a character. */
export function bytesOf({ type, stateKey, eventId }: StateEntry): number {
  const { length } = `${type}${stateKey}${eventId}`;
  return BESIDES + (PLAIN.test(type) && PLAIN.test(stateKey) && PLAIN.test(eventId) ? length : 6 * length);
}
