import type { EventId, RoomId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Arrival } from '../receive/judge-pdu.js';
import type { MissingEvents, PreparedPdu } from '../receive/outcome.js';

/** An event that cannot be judged yet. */
export interface StagedPdu {
  readonly pdu: PreparedPdu;
  readonly arrival: Arrival;
}

interface Staged extends StagedPdu {
  readonly roomId: RoomId;
  /** What it waits for; true: for its place in the graph, so that an outlier is not enough. */
  readonly waitsFor: Map<EventId, boolean>;
}

/** How many events wait at most: of one room, and of all. */
const MOST_OF_ROOM = 1_000;
const MOST = 20_000;
/** And how much text they are together. */
const MOST_UNITS = 64 * 1024 * 1024;

/**
 * Events that wait for others, which whoever received them fetches. It is no store: nobody was told that they are here for good, and
 * those that have waited longest go where they would be too many (first those of the room that has too many), or with the process.
 */
export class StagingArea {
  /** Oldest first. */
  readonly #rooms = new Map<RoomId, Map<EventId, Staged>>();
  readonly #waiting = new Map<string, Set<Staged>>();
  #size = 0;
  #units = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  /** Lets an event wait for what it misses; one that waits already waits for that from now on, in the copy that is whole. */
  add(roomId: RoomId, staged: StagedPdu, { eventId, authEvents, parents }: MissingEvents): void {
    const before = this.remove(roomId, eventId);
    const better = staged.pdu.isAltered === true && before !== undefined ? before : staged;
    const waitsFor = new Map<EventId, boolean>(authEvents.map((each) => [each, false]));
    for (const each of parents) waitsFor.set(each, true);
    const one: Staged = { ...better, roomId, waitsFor };
    const room = this.#rooms.get(roomId) ?? new Map<EventId, Staged>();
    this.#rooms.set(roomId, room);
    room.set(eventId, one);
    for (const each of waitsFor.keys()) {
      const name = nameOf(roomId, each);
      const others = this.#waiting.get(name);
      if (others === undefined) this.#waiting.set(name, new Set([one]));
      else others.add(one);
    }
    this.#size++;
    this.#units += one.pdu.pduText.length;
    if (room.size > MOST_OF_ROOM) this.#evict(room);
    while (this.#size > MOST || this.#units > MOST_UNITS) this.#evict(this.#rooms.values().next().value!);
  }

  /** Whether an event waits. */
  has(roomId: RoomId, eventId: EventId): boolean {
    return this.#rooms.get(roomId)?.has(eventId) === true;
  }

  /** Takes those away that waited for this event, and for nothing else any more. `isPlaced`: it is no outlier. */
  release(roomId: RoomId, eventId: EventId, isPlaced: boolean): StagedPdu[] {
    const released: StagedPdu[] = [];
    const waiting = this.#waiting.get(nameOf(roomId, eventId));
    if (waiting === undefined) this.#misses++;
    for (const one of waiting ?? []) {
      if (one.waitsFor.get(eventId) === true && !isPlaced) continue;
      one.waitsFor.delete(eventId);
      this.#forget(one, eventId);
      if (one.waitsFor.size > 0) continue;
      this.remove(roomId, one.pdu.event.eventId);
      this.#hits++;
      released.push(one);
    }
    return released;
  }

  /** Takes an event away that need not wait any more; undefined where it does not. */
  remove(roomId: RoomId, eventId: EventId): StagedPdu | undefined {
    const room = this.#rooms.get(roomId);
    const one = room?.get(eventId);
    if (room === undefined || one === undefined) return undefined;
    room.delete(eventId);
    if (room.size === 0) this.#rooms.delete(roomId);
    for (const each of one.waitsFor.keys()) this.#forget(one, each);
    this.#size--;
    this.#units -= one.pdu.pduText.length;
    return one;
  }

  get numbers(): CacheNumbers {
    return { size: this.#size, capacity: MOST, hits: this.#hits, misses: this.#misses, evictions: this.#evictions };
  }

  #evict(room: ReadonlyMap<EventId, Staged>): void {
    const [oldest] = room.values();
    this.remove(oldest!.roomId, oldest!.pdu.event.eventId);
    this.#evictions++;
  }

  #forget(one: Staged, waitedFor: EventId): void {
    const name = nameOf(one.roomId, waitedFor);
    const others = this.#waiting.get(name);
    others?.delete(one);
    if (others?.size === 0) this.#waiting.delete(name);
  }
}

function nameOf(roomId: RoomId, eventId: EventId): string {
  return `${roomId} ${eventId}`;
}
