import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { messageOf } from '#kernel/message-of';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import { RedactAsServer } from '#rooms/commands/redact-as-server';
import type { OrderedRedaction } from '#rooms/facts/ordered-redaction';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import { collectionOf } from '#rooms/projections/timeline-collections';
import { type RowHeader, rowHeaderOf } from '#rooms/projections/timeline-row';

/** Whose messages are redacted, and which. */
export interface WantedRedactions {
  readonly userId: UserId;
  /** Empty: all that the user is or was in. */
  readonly rooms: readonly RoomId[];
  /** How many of those messages are looked at in each room, the newest first. */
  readonly limit: number;
  /** When the messages say that they were sent, at the earliest and at the latest: milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
}

/** How far redactions are that an administrator ordered. */
export interface RedactionsStatus {
  status: 'active' | 'complete' | 'failed';
  /** Why an event could not be redacted, by its id. */
  readonly failed: Map<EventId, string>;
}

const REMEMBERED = 1_000;
/** So often an event is tried that cannot be redacted for the moment, each time after so long, or as long as is asked for. */
const MOST_TRIES = 5;
const WAIT_MS = 10_000;
const MOST_WAIT_MS = 60_000;
const MOST_AT_ONCE = 20;
const PAGE = 200;
/** NOTSPEC: of a room no more is looked through. */
const MOST_LOOKED_AT = 1_000_000;

/**
 * Redacts what a user wrote, for an administrator, one event after another. Each redaction is a fact, which says who ordered it and why; how
 * far one has come is in memory alone, so that after a start it is to be ordered again: what was redacted stays so.
 */
@Injectable()
export class UserRedactions {
  readonly #known = new LruCache<string, RedactionsStatus>(REMEMBERED);
  #running = 0;

  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#known.numbers;
  }

  /** Begins with it, and answers by what it can be asked for. Throws M_LIMIT_EXCEEDED. */
  begin(wanted: WantedRedactions, order: OrderedRedaction, requestId: string): string {
    if (this.#running >= MOST_AT_ONCE) throw new MatrixError('M_LIMIT_EXCEEDED', 'Others are to be ended first');
    const id = randomBytes(12).toString('base64url');
    const status: RedactionsStatus = { status: 'active', failed: new Map() };
    this.#known.set(id, status);
    this.#running++;
    void this.#run(wanted, order, requestId, status.failed)
      .then(
        () => (status.status = 'complete'),
        () => (status.status = 'failed'),
      )
      .finally(() => this.#running--);
    return id;
  }

  find(id: string): RedactionsStatus | undefined {
    return this.#known.get(id);
  }

  async #run(
    wanted: WantedRedactions,
    order: OrderedRedaction,
    requestId: string,
    failed: Map<EventId, string>,
  ): Promise<void> {
    const { userId, rooms } = wanted;
    for (const roomId of rooms.length === 0 ? await this.#roomsOf(userId) : rooms) {
      for (const eventId of await this.#listMessages(roomId, wanted)) {
        await this.#redact(new RedactAsServer(roomId, eventId, order, requestId)).catch((error: unknown) => {
          if (!(error instanceof MatrixError)) throw error;
          failed.set(eventId, messageOf(error));
        });
      }
    }
  }

  /** As often as it does not go for the moment, within some minutes. */
  async #redact(redaction: RedactAsServer): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.commands.execute(redaction);
        return;
      } catch (error) {
        if (!mayPass(error) || tries === MOST_TRIES) throw error;
        const asked = Number((error as MatrixError).fields?.['retry_after_ms'] ?? WAIT_MS);
        await delay(Math.min(asked, MOST_WAIT_MS));
      }
    }
  }

  async #roomsOf(userId: UserId): Promise<RoomId[]> {
    const rooms: RoomId[] = [];
    for await (const page of USER_ROOMS.pages(this.views, { prefix: [userId] }))
      rooms.push(...page.map(({ key }) => key[1]));
    return rooms;
  }

  async #listMessages(roomId: RoomId, { userId, limit, from, to }: WantedRedactions): Promise<EventId[]> {
    const ids: EventId[] = [];
    let seen = 0;
    for await (const header of this.#rowsOf(roomId)) {
      if (header.sender !== userId || !isMessage(header) || header.sentAt < from || header.sentAt > to) continue;
      if (seen++ >= limit) return ids;
      if (header.redactedBy === undefined) ids.push(header.eventId);
    }
    return ids;
  }

  /** The newest first; behind all that was news what was fetched from the past, which is fetched backwards. */
  async *#rowsOf(roomId: RoomId): AsyncGenerator<RowHeader, void> {
    const turn = new Turn(PAGE);
    let looked = 0;
    for (const isHistory of [false, true]) {
      const range = { prefix: [roomId], reverse: !isHistory } as const;
      for await (const page of collectionOf({ isHistory }).pages(this.views, range, PAGE)) {
        for (const { value } of page) {
          yield rowHeaderOf(value);
          if (turn.isOver()) await turn.pass();
        }
        looked += page.length;
        if (looked >= MOST_LOOKED_AT) return;
      }
    }
  }
}

/** State is the room's, and a redaction says who took away what. */
function isMessage({ stateKey, type }: RowHeader): boolean {
  return stateKey === undefined && type !== 'm.room.redaction';
}
