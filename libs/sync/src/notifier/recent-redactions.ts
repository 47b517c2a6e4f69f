import type { EventId, RoomId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';

interface Redaction {
  readonly position: Position;
  readonly eventId: EventId;
}

interface RoomRedactions {
  /** Of what took effect up to here, not all is remembered. */
  floor: Position;
  readonly last: Redaction[];
}

const ROOMS = 10_000;
const PER_ROOM = 100;

/** Which events were redacted lately: what was computed from an event before must not go on counting it. Bounded. */
export class RecentRedactions {
  readonly #rooms = new LruCache<RoomId, RoomRedactions>(ROOMS);
  /** Of rooms that are not remembered nothing is known up to here. */
  #floor: Position;

  constructor(private readonly start: Position) {
    this.#floor = start;
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#rooms.numbers;
  }

  /** Notes that a redaction took effect. Positions come in order. */
  note(roomId: RoomId, eventId: EventId, position: Position): void {
    let room = this.#rooms.get(roomId);
    if (room === undefined) {
      // With its first redaction a room is known from the start, unless it may have been forgotten since.
      room = { floor: this.#floor, last: [] };
      const isFull = this.#rooms.size >= ROOMS;
      this.#rooms.set(roomId, room);
      if (isFull) this.#floor = position;
    }
    room.last.push({ position, eventId });
    if (room.last.length > PER_ROOM) room.floor = room.last.shift()!.position;
  }

  /** The events of a room whose redaction took effect after a position; undefined where that is not remembered. */
  since(roomId: RoomId, after: Position): readonly EventId[] | undefined {
    const room = this.#rooms.get(roomId);
    if (after < (room?.floor ?? this.#floor) || after < this.start) return undefined;
    return room === undefined ? [] : room.last.filter(({ position }) => position > after).map(({ eventId }) => eventId);
  }
}
