import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Counts } from '#admin/facts/erasure-facts';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { EraseEvents, type ErasureOfEvents } from '#rooms/commands/erase-events';
import { roomStream } from '#rooms/facts/room-facts';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import { findSaidInRoom, type SaidInRoom } from './said-in-room.js';
import { RedactionErasure } from './redaction-erasure.effect.js';

/** What went of what a user said in rooms, and what did not. */
export interface ErasedSaid {
  readonly removed: Counts;
  readonly kept: Counts;
}

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
    for await (const [, { open, kept: ofRules }] of this.#look(userId, START)) {
      for (const kind of open.values()) removed.add(kind);
      kept.add('rules of rooms', ofRules);
    }
    return { removed: removed.counts, kept: kept.counts };
  }

  /** Redacts all that a redaction takes something away of. What a room refuses stays; what was done before is not done again. */
  async redact(userId: UserId, erasure: Omit<ErasureOfEvents, 'userId'>): Promise<void> {
    for await (const [roomId, { open }] of this.#look(userId, START)) {
      try {
        await this.#redactIn(roomId, [...open.keys()], { userId, ...erasure });
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
  async clean(userId: UserId, since: Position): Promise<ErasedSaid> {
    const [removed, kept] = [new Tally(), new Tally()];
    for await (const [roomId, { open, kept: ofRules, redacted }] of this.#look(userId, since)) {
      for (const { kind, revision } of redacted.values()) {
        for await (const fact of this.store.readStream(roomStream(roomId), { from: revision, limit: 1, inParts: true }))
          await this.redactions.run(fact);
        removed.add(kind);
      }
      kept.add('rules of rooms', ofRules);
      kept.add('refused by rooms', open.size);
    }
    return { removed: removed.counts, kept: kept.counts };
  }

  async #redactIn(roomId: RoomId, eventIds: readonly EventId[], erasure: ErasureOfEvents): Promise<void> {
    for (let left = eventIds; left.length > 0;) {
      left = left.slice(await this.commands.execute(new EraseEvents(roomId, left, erasure)));
    }
  }

  /** The rooms that are here and that the user has to do with, or had. */
  async *#look(userId: UserId, since: Position): AsyncGenerator<readonly [RoomId, SaidInRoom]> {
    const rooms: RoomId[] = [];
    for await (const page of USER_ROOMS.pages(this.views, { prefix: [userId] }))
      for (const { key, value } of page) if (value.elsewhere !== true) rooms.push(key[1]);
    for (const roomId of rooms) yield [roomId, await findSaidInRoom(this.store, roomId, userId, since)];
  }
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
