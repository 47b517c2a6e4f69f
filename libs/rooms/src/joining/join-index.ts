import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { StateTrie } from '#protocol/state-trie/state-trie';
import type { StateLearnt } from '../facts/join-facts.js';
import { type OutlierStored, roomStream } from '../facts/room-facts.js';

/** What is kept of an event that came without a place. PERF: a hundred thousand of them are in memory at once (bench/joining.ts). */
export interface IndexedOutlier {
  /** Of its fact in the room's stream. */
  readonly revision: number;
  readonly type: string;
  /** undefined: it is no state. */
  readonly stateKey: string | undefined;
  readonly isRejected: boolean;
}

/** The state before the join event, as far as it is told. */
export interface StateBeforeJoin {
  readonly eventId: EventId;
  readonly state: StateTrie;
  readonly isWhole: boolean;
}

/**
 * What a room's stream holds of joins: the events that came without a place, and the state that the last of them told. What was told
 * of a room with another create event is not of this one.
 */
export class JoinIndex {
  readonly outliers = new Map<EventId, IndexedOutlier>();
  #told: StateBeforeJoin | undefined;
  #whole: StateBeforeJoin | undefined;

  /** Reads the whole stream. */
  static async read(store: Pick<EventStore, 'readStream'>, roomId: RoomId): Promise<JoinIndex> {
    const index = new JoinIndex();
    for await (const fact of store.readStream(roomStream(roomId))) {
      index.#take(fact);
      // Where its root is computed as it grows, that never holds the event loop up.
      if (fact.type === 'state-learnt') {
        void index.#told?.state.rootHash;
        await nextTurn();
      }
    }
    return index;
  }

  get told(): StateBeforeJoin | undefined {
    return this.#told;
  }

  /** The last state that was told up to its last part. */
  get lastWhole(): StateBeforeJoin | undefined {
    return this.#whole;
  }

  /** Notes what a fact tells that is in the log. */
  note(eventId: EventId, outlier: IndexedOutlier): void {
    this.outliers.set(eventId, outlier);
  }

  #take({ type, data, revision }: RecordedFact): void {
    if (type === 'join-begun') this.#told = this.#whole = undefined;
    else if (type === 'room-purged') this.#forget();
    else if (type === 'state-learnt') this.#takePart(JSON.parse(data) as StateLearnt);
    else if (type === 'outlier-stored') {
      const { event_id: eventId, pdu, reason } = JSON.parse(data) as OutlierStored;
      const { type: eventType, state_key: stateKey } = pdu;
      if (eventType === 'm.room.create' && !this.outliers.has(eventId)) this.outliers.clear();
      this.note(eventId, {
        revision,
        type: eventType as string,
        stateKey: stateKey as string | undefined,
        isRejected: reason !== undefined,
      });
    }
  }

  /** What was told before belongs to nothing that is kept. */
  #forget(): void {
    this.outliers.clear();
    this.#told = this.#whole = undefined;
  }

  #takePart({ event_id: eventId, part, parts, state: entries }: StateLearnt): void {
    const before = part === 1 ? StateTrie.empty : (this.#told?.state ?? StateTrie.empty);
    const state = before.change(entries.map(([type, stateKey, id]) => ({ type, stateKey, eventId: id })));
    this.#told = { eventId, state, isWhole: part === parts };
    if (part === parts) this.#whole = this.#told;
  }
}
