import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { scanPages } from '#projections/scan-pages';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import type { ReadModelStore, Write } from '#read-models/read-model-store';
import type { WriteSideName } from '#read-models/write-side-collections';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { trieOf } from '#protocol/state-trie/state-trie';
import { type Extremity, headBeforeCreate, isHere } from '../decide/room-head.js';
import { roomEventOfFact } from '../facts/read-room-fact.js';
import { type HistoryVisibility, roomStream } from '../facts/room-facts.js';
import { type LiveRoom, liveRoom } from './live-room.js';

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
    const state = trieOf(entries.map(([type, stateKey, eventId]) => ({ type, stateKey, eventId })));
    if (version === undefined || state.rootHash !== header.root) return undefined;
    const last = await this.#factAt(roomId, header.revision);
    if (last?.metadata.chain !== header.chain) return undefined;
    const create = entries.find(([type, stateKey]) => type === 'm.room.create' && stateKey === '');
    const created = create && (await this.#factAt(roomId, create[3]));
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
    for (const [, , eventId, at] of entries) room.stateRevisions.set(eventId, at);
    return room;
  }

  /** Begins a snapshot in the background where enough has happened since the last, in the process that writes the views. */
  consider(room: LiveRoom): void {
    if (!this.readModels.isWriter || !isHere(room.head)) return;
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

  /** Settles when no snapshot is being written. */
  async settled(): Promise<void> {
    await Promise.all(this.#writing.values());
  }

  async #write(room: LiveRoom): Promise<void> {
    // The state is immutable, so what is written is one moment's whatever happens meanwhile; the revisions are copied.
    const { roomId, head, chain } = room;
    if (chain === undefined) return;
    const revisions = new Map(room.stateRevisions);
    const chunks = Math.ceil(head.state.size / ENTRIES_PER_CHUNK);
    const entries = head.state.entries();
    for (let chunk = 0; chunk < chunks; chunk++) {
      const part: SnapshotEntry[] = [];
      while (part.length < ENTRIES_PER_CHUNK) {
        const { value, done } = entries.next();
        if (done === true) break;
        part.push([value.type, value.stateKey, value.eventId, revisions.get(value.eventId) as number]);
      }
      await this.readModels.write([put(chunkKey(roomId, head.revision, chunk), JSON.stringify(part))]);
    }
    const { revision, since, depth, visibility } = head;
    const extremities = head.extremities.map(({ state: _state, ...rest }) => rest);
    const header: SnapshotHeader = {
      revision,
      since,
      chain,
      room_version: head.version.id,
      root: head.state.rootHash,
      extremities,
      depth,
      visibility,
      chunks,
    };
    await this.readModels.write([put([roomId, 'head'], JSON.stringify(header))]);
    await this.#removeOthers(roomId, revision);
  }

  /** Removes the chunks of the snapshot before, and of those in the midst of which the process ended. */
  async #removeOthers(roomId: RoomId, revision: number): Promise<void> {
    const [, own] = chunkKey(roomId, revision, 0);
    for await (const rows of scanPages(this.readModels, SNAPSHOTS, { prefix: [roomId] }, CHUNKS_AT_ONCE)) {
      const others = rows.filter(({ key }) => key.length === 3 && key[1] !== own);
      await this.readModels.write(others.map(({ key }) => ({ collection: SNAPSHOTS, key, value: null })));
    }
  }

  async #entries(roomId: RoomId, { revision, chunks }: SnapshotHeader): Promise<SnapshotEntry[] | undefined> {
    const keys = Array.from({ length: chunks }, (_, chunk) => chunkKey(roomId, revision, chunk));
    const parts = await this.readModels.getMany(SNAPSHOTS, keys);
    const entries = parts.map((part) => parse<readonly SnapshotEntry[]>(part));
    return entries.every(isChunk) ? entries.flat() : undefined;
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

function chunkKey(roomId: RoomId, revision: number, chunk: number): string[] {
  return [roomId, String(revision).padStart(12, '0'), String(chunk).padStart(6, '0')];
}

function put(key: readonly string[], value: string): Write {
  return { collection: SNAPSHOTS, key, value };
}
