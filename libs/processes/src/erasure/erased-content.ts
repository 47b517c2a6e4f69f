import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { ErasureProgress } from '#admin/erasures/erasures';
import type { Counts } from '#admin/facts/erasure-facts';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import type { ErasureOfEvents } from '#rooms/commands/erase-events';
import { roomStream } from '#rooms/facts/room-facts';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import { eraseInTurns } from './erase-in-turns.js';
import { findSaidInRoom, type SaidInRoom } from './said-in-room.js';
import { RedactionErasure } from './redaction-erasure.effect.js';

/** What went of what a user said in rooms, and what did not. */
export interface ErasedSaid {
  readonly removed: Counts;
  readonly kept: Counts;
}

/** Hears how far a piece of the work is. */
export type OnProgress = (progress: ErasureProgress) => void;

/** So many redactions are read at once, which are taken from the log together. */
const AT_ONCE = 100;

/** Takes away what a user has said in rooms: from the rooms where they let the user, from this server, and from its log. */
@Injectable()
export class ErasedContent {
  readonly #log = new Logger('processes');

  constructor(
    private readonly commands: CommandBus,
    private readonly redactions: RedactionErasure,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** What there is to be erased, by kind, and what would stay. */
  async count(userId: UserId): Promise<ErasedSaid> {
    const [removed, kept] = [new Tally(), new Tally()];
    for await (const { open, kept: ofRooms } of this.#look(userId, START)) {
      for (const kind of open.values()) removed.add(kind);
      kept.add('state of rooms', ofRooms);
    }
    return { removed: removed.counts, kept: kept.counts };
  }

  /** Redacts all that a redaction takes something away of. What a room refuses stays; what was done before is not done again. */
  async redact(userId: UserId, erasure: Omit<ErasureOfEvents, 'userId'>, onProgress: OnProgress): Promise<void> {
    let events = 0;
    for await (const { roomId, open, room, rooms } of this.#look(userId, START)) {
      const tell = (): void => onProgress({ doing: 'redacting', events, room, rooms });
      tell();
      try {
        for await (const done of eraseInTurns(this.commands, roomId, [...open.keys()], { userId, ...erasure })) {
          events += done;
          tell();
        }
      } catch (error) {
        if (!(error instanceof MatrixError) || mayPass(error)) throw error;
        // It is being joined, or purged.
        this.#log.warn({ err: error, userId, roomId }, 'what an erased user has said in a room was not redacted');
      }
    }
  }

  /**
   * Takes what was redacted since a place in the log from all facts that hold it, and answers what that was. `kept`: also what could not be
   * redacted.
   */
  async clean(userId: UserId, since: Position, onProgress: OnProgress): Promise<ErasedSaid> {
    const [removed, kept] = [new Tally(), new Tally()];
    let events = 0;
    for await (const { roomId, open, kept: ofRooms, redacted, room, rooms } of this.#look(userId, since)) {
      const all = [...redacted.values()];
      for (let at = 0; at < all.length; at += AT_ONCE) {
        onProgress({ doing: 'erasing', events, room, rooms });
        const some = all.slice(at, at + AT_ONCE);
        await Promise.all(some.map(({ revision }) => this.#erase(roomId, revision)));
        for (const { kind } of some) removed.add(kind);
        events += some.length;
      }
      kept.add('state of rooms', ofRooms);
      kept.add('refused by rooms', open.size);
    }
    return { removed: removed.counts, kept: kept.counts };
  }

  /** By the fact at a revision, which says what remains of an event. */
  async #erase(roomId: RoomId, revision: number): Promise<void> {
    const redacted = this.store.readStream(roomStream(roomId), { from: revision, limit: 1, inParts: true });
    for await (const fact of redacted) await this.redactions.run(fact);
  }

  /** The rooms that are here and that the user has to do with, or had. */
  async *#look(userId: UserId, since: Position): AsyncGenerator<SaidInRoom & Place, void> {
    const roomIds: RoomId[] = [];
    for await (const page of USER_ROOMS.pages(this.views, { prefix: [userId] }))
      for (const { key, value } of page) if (value.elsewhere !== true) roomIds.push(key[1]);
    for (const [i, roomId] of roomIds.entries()) {
      const said = await findSaidInRoom(this.store, roomId, userId, since);
      yield { ...said, roomId, room: i + 1, rooms: roomIds.length };
    }
  }
}

/** Which of the user's rooms it is, counted from 1. */
interface Place {
  readonly roomId: RoomId;
  readonly room: number;
  readonly rooms: number;
}

/** Counts by kind. */
class Tally {
  readonly #counts = new Map<string, number>();

  add(kind: string, more = 1): void {
    if (more > 0) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + more);
  }

  get counts(): Counts {
    return Object.fromEntries([...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
}
