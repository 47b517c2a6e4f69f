import type { Answer } from '#kernel/answer';
import type { EventId, RoomId } from '#kernel/ids';
import { Turn } from '#projections/turn';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { StateTrie } from '#protocol/state-trie/state-trie';
import type { StateEntry } from '#protocol/state-trie/state-trie';
import {
  type BucketRow,
  digestOfKey,
  findBucketOf,
  findBucketRow,
  findEntry,
  isSplit,
  listEntries,
  partsOf,
  rootOf,
} from './bucket-rows.js';
import { listCopies } from './copy-rows.js';
import {
  findGraphEvent,
  GRAPH_LEARNT,
  type GraphEvent,
  type GraphRows,
  isSameStatePlace,
  type LearntRow,
  NO_STATE,
  type StatePlace,
} from './graph-rows.js';
import { GRAPH_HOLES } from './hole-rows.js';
import { GRAPH_REDACTED, GRAPH_REDACTIONS } from './redaction-rows.js';
import type { StateValue } from './state-entries.js';

type Key = Pick<StateEntry, 'type' | 'stateKey'>;

/** NOTSPEC: an event that so many redactions name is redacted by one of them, or by none that is allowed. */
const MOST_REDACTIONS = 1_000;

/** The events of a room by their ids, and the state before and after each of which it is known. */
export class RoomGraph {
  constructor(
    private readonly rows: GraphRows,
    readonly roomId: RoomId,
  ) {}

  /** What became of an event; undefined where the room has not heard of it. */
  async findEvent(eventId: EventId): Promise<GraphEvent | undefined> {
    return findGraphEvent(this.rows, this.roomId, eventId);
  }

  /** The revisions of all facts that hold the PDU of an event, the one that decided it last. */
  async listFacts(eventId: EventId): Promise<number[]> {
    const event = await this.findEvent(eventId);
    if (event === undefined) return [];
    return [...(await listCopies(this.rows, this.roomId, eventId)), event.revision];
  }

  /** The state after an event; undefined where it is not known. */
  async findStateAfter(eventId: EventId): Promise<GraphState | undefined> {
    return this.#stateAt((await this.findEvent(eventId))?.states?.after);
  }

  /** The state before an event; undefined where it is not known. */
  async findStateBefore(eventId: EventId): Promise<GraphState | undefined> {
    return this.#stateAt((await this.findEvent(eventId))?.states?.before);
  }

  /** How far other servers have told the state before an event; undefined where none did. */
  async findTelling(eventId: EventId): Promise<LearntRow | undefined> {
    return GRAPH_LEARNT.get(this.rows, [this.roomId, eventId]);
  }

  /** The state before an event as another server told it; undefined while a part of it is not there. */
  async findLearntState(eventId: EventId): Promise<GraphState | undefined> {
    const row = await this.findTelling(eventId);
    return this.#stateAt(row?.part === row?.parts ? row?.place : undefined);
  }

  /** Whether an accepted event stood on this one before its place was known. */
  isHole(eventId: EventId): Promise<boolean> {
    return GRAPH_HOLES.has(this.rows, [this.roomId, eventId]);
  }

  /** The revision of the fact that holds what a redaction left of an event; undefined where none took effect. */
  async findRedacted(eventId: EventId): Promise<number | undefined> {
    return GRAPH_REDACTED.get(this.rows, [this.roomId, eventId]);
  }

  /** The accepted redactions that name an event, oldest first. */
  async listRedactionsOf(eventId: EventId): Promise<EventId[]> {
    const range = { prefix: [this.roomId, eventId], limit: MOST_REDACTIONS } as const;
    const found = await GRAPH_REDACTIONS.scan(this.rows, range);
    return found.sort((a, b) => a.value - b.value).map(({ key }) => key[2]);
  }

  /**
   * The state that the room had since an event was accepted that was news, whatever the state after that event is; undefined
   * where it is not known.
   */
  async findStateSince(eventId: EventId): Promise<GraphState | undefined> {
    const states = (await this.findEvent(eventId))?.states;
    return this.#stateAt(states?.current ?? states?.after);
  }

  #stateAt(place: StatePlace | undefined): GraphState | undefined {
    return place && new GraphState(this.rows, this.roomId, place);
  }
}

/** A state of a room that never changes: single keys of it, or all. */
export class GraphState {
  constructor(
    private readonly rows: GraphRows,
    private readonly roomId: RoomId,
    /** States at the same place are the same; those at different places may be. */
    readonly place: StatePlace,
  ) {}

  /** The root hash; undefined where no fact told it: of a state before an event that was resolved for that event alone. */
  async findRoot(): Promise<string | undefined> {
    const { line, rootIn } = this.place;
    if (line === NO_STATE.line) return StateTrie.empty.rootHash;
    const row = rootIn === undefined ? undefined : await this.#rowOf(rootIn, this.place);
    return row && rootOf(row);
  }

  /** The event that holds a key. */
  async find(type: string, stateKey = ''): Promise<EventId | undefined> {
    const [eventId] = await this.findMany([{ type, stateKey }]);
    return eventId;
  }

  /** The events that hold some keys, in the order of the keys; undefined for those that nothing holds. */
  findMany(keys: readonly Key[]): Promise<(EventId | undefined)[]> {
    return Promise.all(keys.map((key) => this.#findOne(key, digestOfKey(key))));
  }

  async #findOne(key: Key, digest: string): Promise<EventId | undefined> {
    const found = await findBucketOf(this.place, digest, (upTo, bucket) => this.#rowOf(bucket, upTo));
    if (found === undefined) return undefined;
    return (await findEntry(this.rows, this.roomId, found.bucket, found.row, key))?.eventId ?? undefined;
  }

  /** All entries; `pages` for who does not keep them. */
  async list(): Promise<StateEntry[]> {
    const found: StateEntry[] = [];
    for await (const page of this.pages()) for (const entry of page) found.push(entry);
    return found;
  }

  /**
   * All entries, some hundred at a time, or all but those of one type. PERF: lets other work run in between, for a state may have a
   * hundred thousand; and most die young where they are not kept, for to collect those that do not takes longer than to read them
   * (bench/state-at.ts).
   */
  pages({ without }: { readonly without?: string } = {}): AsyncGenerator<readonly StateEntry[], void> {
    return this.#pagesOf('', this.place, without);
  }

  /** As `pages`, of what is in one bucket. */
  async *#pagesOf(bucket: string, upTo: StatePlace, without?: string): AsyncGenerator<readonly StateEntry[], void> {
    const turn = new Turn(1);
    const open = [{ bucket, upTo }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const row = await this.#rowOf(next.bucket, next.upTo);
      if (row === undefined) continue;
      if (isSplit(row)) {
        const places = partsOf(row, next.upTo);
        for (let part = places.length - 1; part >= 0; part--) {
          open.push({ bucket: `${next.bucket}${part}`, upTo: places[part]! });
        }
        continue;
      }
      yield await listEntries(this.rows, this.roomId, next.bucket, row, without);
      if (turn.isOver()) await turn.pass();
    }
  }

  /**
   * What differs from an earlier state of the room; a key that nothing holds any more is held by null. PERF: parts that the two
   * have in common are looked at and not read.
   */
  async changesSince(earlier: GraphState): Promise<StateValue[]> {
    const changes: StateValue[] = [];
    await this.#compare('', earlier.place, this.place, changes, new Turn(1));
    return changes;
  }

  async #compare(
    bucket: string,
    before: StatePlace,
    after: StatePlace,
    changes: StateValue[],
    turn: Turn,
  ): Promise<void> {
    if (isSameStatePlace(before, after)) return;
    const [old, now] = await Promise.all([this.#rowOf(bucket, before), this.#rowOf(bucket, after)]);
    if (turn.isOver()) await turn.pass();
    if (old !== undefined && now !== undefined && isSplit(old) && isSplit(now)) {
      const places = partsOf(now, after);
      for (const [part, place] of partsOf(old, before).entries())
        await this.#compare(`${bucket}${part}`, place, places[part]!, changes, turn);
      return;
    }
    if (old !== undefined && now !== undefined && isSameStatePlace(old.at, now.at)) return;
    const held = new Map<string, StateEntry>();
    for await (const page of this.#pagesOf(bucket, before)) {
      for (const entry of page) held.set(stateKeyOf(entry.type, entry.stateKey), entry);
    }
    for await (const page of this.#pagesOf(bucket, after)) {
      for (const entry of page) {
        const key = stateKeyOf(entry.type, entry.stateKey);
        if (held.get(key)?.eventId !== entry.eventId) changes.push(entry);
        held.delete(key);
      }
    }
    for (const { type, stateKey } of held.values()) changes.push({ type, stateKey, eventId: null });
  }

  /** All of it as a trie, built in turns too. */
  async trie(): Promise<StateTrie> {
    let trie = StateTrie.empty;
    for await (const page of this.pages()) trie = trie.change(page);
    return trie;
  }

  #rowOf(bucket: string, upTo: StatePlace): Answer<BucketRow | undefined> {
    return findBucketRow(this.rows, this.roomId, upTo, bucket);
  }
}
