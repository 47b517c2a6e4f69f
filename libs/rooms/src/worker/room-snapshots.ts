import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { each } from '#kernel/steps';
import { scanPages } from '#projections/scan-pages';
import { inTurns, Turn } from '#projections/turn';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import type { ReadModelStore, Write } from '#read-models/read-model-store';
import type { WriteSideName } from '#read-models/write-side-collections';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { changeInSteps, type StateEntry, StateTrie } from '#protocol/state-trie/state-trie';
import { type Extremity, headBeforeCreate, isHere } from '../decide/room-head.js';
import { roomEventOfFact } from '../facts/read-room-fact.js';
import { type HistoryVisibility, roomStream } from '../facts/room-facts.js';
import { type LiveRoom, liveRoom } from './live-room.js';
import type { HeldRevisions } from './state-revisions.js';

/** The collection of snapshots. It belongs to the write side: no projector, no generations; it may be deleted at any time. */
const SNAPSHOTS: WriteSideName = 'room-snapshots';

interface SnapshotHeader {
  readonly revision: number;
  readonly since: number;
  readonly chain: string;
  readonly room_version: string;
  readonly root: string;
  readonly extremities: readonly Omit<Extremity, 'state'>[];
  readonly depth: number;
  readonly visibility: HistoryVisibility;
  readonly chunks: number;
}

type SnapshotEntry = readonly [type: string, stateKey: string, eventId: EventId, revision: number];

interface KeptEntry extends StateEntry {
  readonly revision: number;
}

/** Facts since the last snapshot that make a new one worth its writing, unless the state is larger than that. */
const MIN_FACTS = 2_000;
const ENTRIES_PER_CHUNK = 1_000;
const CHUNKS_AT_ONCE = 16;

/**
 * Snapshots of live rooms, so that a cold room is not folded from its first fact. They are believed only where the log
 * agrees: the chain of the fact they stand at, and the root of the state they hold.
 */
export class RoomSnapshots {
  readonly #writing = new Map<RoomId, Promise<void>>();

  constructor(
    private readonly store: EventStore,
    private readonly readModels: ReadModelStore,
    private readonly onError: (roomId: RoomId, error: unknown) => void,
  ) {}

  /** The room as of its snapshot; undefined where there is none to believe, or none that can be read. */
  async find(roomId: RoomId): Promise<LiveRoom | undefined> {
    try {
      return await this.#find(roomId);
    } catch (error) {
      if (error instanceof ViewsUnavailable) return undefined;
      throw error;
    }
  }

  async #find(roomId: RoomId): Promise<LiveRoom | undefined> {
    const header = parse<SnapshotHeader>(await this.readModels.get(SNAPSHOTS, [roomId, 'head']));
    if (typeof header?.revision !== 'number' || !Array.isArray(header.extremities)) return undefined;
    const version = findRoomVersion(header.room_version);
    const entries = await this.#entries(roomId, header);
    if (entries === undefined) return undefined;
    const state = await inTurns(changeInSteps(StateTrie.empty, entries));
    if (version === undefined || state.rootHash !== header.root) return undefined;
    const last = await this.#factAt(roomId, header.revision);
    if (last?.metadata.chain !== header.chain) return undefined;
    const create = entries.find(({ type, stateKey }) => type === 'm.room.create' && stateKey === '');
    const created = create && (await this.#factAt(roomId, create.revision));
    if (created === undefined) return undefined;
    const createEvent = roomEventOfFact(roomId, created);
    const { revision, since, depth, visibility } = header;
    // Of the states after the extremities only the current one is kept.
    const extremities = header.extremities.map((one) => ({
      ...one,
      state: one.root === header.root ? state : undefined,
    }));
    const head = { ...headBeforeCreate(version, createEvent), revision, since, state, extremities, depth, visibility };
    // Its transactions are remembered from here on; the views, or else the log, tell those before.
    const room = liveRoom(roomId, head, { revision, position: last.position });
    room.chain = header.chain;
    room.snapshotRevision = revision;
    await inTurns(each(entries, (one) => room.stateRevisions.set(one.eventId, one.revision), ENTRIES_PER_CHUNK));
    return room;
  }

  /** Begins a snapshot in the background where enough has happened since the last, in the process that writes the views. */
  consider(room: LiveRoom): void {
    // Of a partial room it would not say what it lacks.
    if (!this.readModels.isWriter || !isHere(room.head) || room.head.partial !== undefined) return;
    const since = room.head.revision - room.snapshotRevision;
    if (since < Math.max(MIN_FACTS, room.head.state.size) || this.#writing.has(room.roomId)) return;
    const before = room.snapshotRevision;
    room.snapshotRevision = room.head.revision;
    const writing = this.#write(room).catch((error: unknown) => {
      room.snapshotRevision = before;
      this.onError(room.roomId, error);
    });
    this.#writing.set(room.roomId, writing);
    void writing.then(() => this.#writing.delete(room.roomId));
  }

  /** Lets go of what is kept of a room, in the process that writes the views. */
  async forget(roomId: RoomId): Promise<void> {
    if (!this.readModels.isWriter) return;
    await this.#writing.get(roomId);
    for await (const rows of scanPages(this.readModels, SNAPSHOTS, { prefix: [roomId] }, CHUNKS_AT_ONCE))
      await this.readModels.write(rows.map(({ key }) => ({ collection: SNAPSHOTS, key, value: null })));
  }

  /** Settles when no snapshot is being written. */
  async settled(): Promise<void> {
    await Promise.all(this.#writing.values());
  }

  async #write(room: LiveRoom): Promise<void> {
    const { roomId, head, chain } = room;
    if (chain === undefined) return;
    // The state is immutable, so what is written is one moment's whatever happens meanwhile; so are the revisions that are held.
    const revisions = room.stateRevisions.hold();
    try {
      await this.#writeState(roomId, head, revisions);
    } finally {
      revisions.release();
    }
    const { revision, since, depth, visibility, state } = head;
    const extremities = head.extremities.map(({ state: _state, ...rest }) => rest);
    const header: SnapshotHeader = {
      revision,
      since,
      chain,
      room_version: head.version.id,
      root: state.rootHash,
      extremities,
      depth,
      visibility,
      chunks: chunksOf(state),
    };
    await this.readModels.write([put([roomId, 'head'], JSON.stringify(header))]);
    await this.#removeOthers(roomId, revision);
  }

  /** PERF: other work has its turn in between, for a store that takes rows into memory lets nobody wait. */
  async #writeState(roomId: RoomId, head: LiveRoom['head'], revisions: HeldRevisions): Promise<void> {
    const turn = new Turn(1);
    const chunks = chunksOf(head.state);
    const entries = head.state.entries();
    for (let chunk = 0; chunk < chunks; chunk++) {
      const part: SnapshotEntry[] = [];
      while (part.length < ENTRIES_PER_CHUNK) {
        const { value, done } = entries.next();
        if (done === true) break;
        part.push([value.type, value.stateKey, value.eventId, revisions.get(value.eventId) as number]);
      }
      await this.readModels.write([put(chunkKey(roomId, head.revision, chunk), JSON.stringify(part))]);
      if (turn.isOver()) await turn.pass();
    }
  }

  /** Removes the chunks of the snapshot before, and of those in the midst of which the process ended. */
  async #removeOthers(roomId: RoomId, revision: number): Promise<void> {
    const [, own] = chunkKey(roomId, revision, 0);
    for await (const rows of scanPages(this.readModels, SNAPSHOTS, { prefix: [roomId] }, CHUNKS_AT_ONCE)) {
      const others = rows.filter(({ key }) => key.length === 3 && key[1] !== own);
      await this.readModels.write(others.map(({ key }) => ({ collection: SNAPSHOTS, key, value: null })));
    }
  }

  /** What the chunks of a snapshot hold; undefined where one is not there or damaged. */
  async #entries(roomId: RoomId, { revision, chunks }: SnapshotHeader): Promise<KeptEntry[] | undefined> {
    const entries: KeptEntry[] = [];
    const turn = new Turn(1);
    for (let at = 0; at < chunks; at += CHUNKS_AT_ONCE) {
      const count = Math.min(CHUNKS_AT_ONCE, chunks - at);
      const keys = Array.from({ length: count }, (_, i) => chunkKey(roomId, revision, at + i));
      for (const text of await this.readModels.getMany(SNAPSHOTS, keys)) {
        const part = parse<readonly SnapshotEntry[]>(text);
        if (!isChunk(part)) return undefined;
        for (const [type, stateKey, eventId, of] of part) entries.push({ type, stateKey, eventId, revision: of });
        if (turn.isOver()) await turn.pass();
      }
    }
    return entries;
  }

  async #factAt(roomId: RoomId, revision: number): Promise<RecordedFact | undefined> {
    for await (const fact of this.store.readStream(roomStream(roomId), { from: revision, limit: 1, inParts: true }))
      return fact;
    return undefined;
  }
}

/** Reads what `#write` wrote; undefined where that is not there or damaged. */
function parse<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

function isChunk(part: readonly SnapshotEntry[] | undefined): part is readonly SnapshotEntry[] {
  return Array.isArray(part) && part.every((entry) => Array.isArray(entry));
}

function chunksOf(state: StateTrie): number {
  return Math.ceil(state.size / ENTRIES_PER_CHUNK);
}

function chunkKey(roomId: RoomId, revision: number, chunk: number): string[] {
  return [roomId, String(revision).padStart(12, '0'), String(chunk).padStart(6, '0')];
}

function put(key: readonly string[], value: string): Write {
  return { collection: SNAPSHOTS, key, value };
}
