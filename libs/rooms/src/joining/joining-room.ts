import type { EventStore } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { LruCache } from '#kernel/lru-cache';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { StateTrie } from '#protocol/state-trie/state-trie';
import { roomEventOfFact } from '../facts/read-room-fact.js';
import { type HistoryVisibility, historyVisibilityOf } from '../facts/room-facts.js';
import { type KnownEvent, knownOutlier, type KnownRoom } from '../receive/known-room.js';
import { readRevisions } from '../worker/read-revisions.js';
import type { JoinIndex } from './join-index.js';

/** Most events are authorised by the same few: those are never read twice. */
const CACHED_EVENTS = 4_096;

/** A room that other servers tell because somebody here joins it: it has events without a place, and no other. */
export class JoiningRoom implements KnownRoom {
  readonly extremities = [];
  state = StateTrie.empty;
  visibility: HistoryVisibility = 'shared';
  readonly #events = new LruCache<EventId, KnownEvent>(CACHED_EVENTS);
  /** Those that are judged and not in the log yet. */
  readonly #fresh = new Map<EventId, KnownEvent>();

  constructor(
    readonly roomId: RoomId,
    readonly version: RoomVersion,
    readonly createEvent: RoomEvent,
    readonly index: JoinIndex,
    private readonly store: Pick<EventStore, 'readStream'>,
  ) {}

  /** Whether an event has been judged. */
  has(eventId: EventId): boolean {
    return this.#fresh.has(eventId) || this.index.outliers.has(eventId);
  }

  /** Takes an event that was judged. */
  note(event: RoomEvent, isRejected: boolean): void {
    this.#fresh.set(event.eventId, knownOutlier(event, isRejected));
  }

  /** Takes word that an event which was judged is in the log. */
  noteStored({ eventId, type, stateKey }: RoomEvent, revision: number): void {
    const known = this.#fresh.get(eventId);
    this.#fresh.delete(eventId);
    if (known === undefined) return;
    this.#events.set(eventId, known);
    this.index.note(eventId, { revision, type, stateKey, isRejected: known.rejection !== undefined });
  }

  /** Takes the state before the join event: it is the current one. Throws what the log throws. */
  async learn(state: StateTrie): Promise<void> {
    this.state = state;
    const eventId = state.get('m.room.history_visibility', '');
    const known = eventId && (await this.find([eventId])).get(eventId);
    this.visibility = historyVisibilityOf(known ? known.event.content : {});
  }

  async find(eventIds: readonly EventId[]): Promise<ReadonlyMap<EventId, KnownEvent>> {
    const found = new Map<EventId, KnownEvent>();
    const others = new Map<EventId, number>();
    for (const eventId of eventIds) {
      const known = this.#fresh.get(eventId) ?? this.#events.get(eventId);
      const stored = known === undefined ? this.index.outliers.get(eventId) : undefined;
      if (known !== undefined) found.set(eventId, known);
      else if (stored !== undefined) others.set(eventId, stored.revision);
    }
    if (others.size === 0) return found;
    const facts = await readRevisions(this.store, this.roomId, others.values());
    for (const [eventId, revision] of others) {
      const event = roomEventOfFact(this.roomId, facts.get(revision)!);
      const known = knownOutlier(event, this.index.outliers.get(eventId)!.isRejected);
      this.#events.set(eventId, known);
      found.set(eventId, known);
    }
    return found;
  }

  stateAfter(eventId: EventId): Promise<StateTrie> {
    return Promise.reject(new Error(`${this.roomId}: the state after ${eventId} is not known`));
  }

  findLearntState(): Promise<StateTrie> {
    return Promise.resolve(this.state);
  }

  isHole(): Promise<boolean> {
    return Promise.resolve(false);
  }

  findRedactionsOf(): Promise<readonly RoomEvent[]> {
    return Promise.resolve([]);
  }
}
