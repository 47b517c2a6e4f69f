import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { awaitShown } from '#projections/await-shown';
import { ByTheClock } from '#projections/by-the-clock';
import { HELD_CLOCK, type HeldClock } from '#projections/held-clock';
import { AT_LATEST_MS } from '#projections/regular-looks';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import { ExpireEvents } from '#rooms/commands/expire-events';
import type { MessagesKept } from '#rooms/facts/ordered-redaction';
import { OWN_ROOMS } from '#rooms/projections/deserted-rooms.projector';
import { EXPIRED_UP_TO, RETENTION_ROOMS, RETENTION_RULES } from '#rooms/projections/retention.projector';
import { ROOM_STATE } from '#rooms/projections/room-state.projector';
import { collectionOf, type RowKey, rowKeyOf, TIMELINE } from '#rooms/projections/timeline-collections';
import { type RowHeader, rowHeaderOf } from '#rooms/projections/timeline-row';
import { findPlaces } from '#rooms/reading/event-rows';
import { findLifetime } from '#rooms/reading/room-lifetime';
import { isOver } from '#rooms/reading/withhold-expired';
import { RuleRetention } from './rule-retention.js';

/** How often it is looked for messages that are over. Until then nobody is told what they say. */
const LOOK_MS = 5 * 60_000;
/** So many are taken away at a look, and the next ones soon: the log is for others too. */
const AT_ONCE = 1_000;
const SOON_MS = 10_000;
/** So many at most in one turn of a room. */
const IN_A_TURN = 50;
const PAGE = 200;
/** Of so many rooms it is remembered how far they were looked at. */
const REMEMBERED = 20_000;
/** By what it is decided that a message goes, which cannot be taken back. */
const ASKED = [RETENTION_RULES, ROOM_STATE, TIMELINE].map(({ name }) => name);

/**
 * Takes the content of messages away that are older than their rooms keep them. Looked at are rooms that say how long that is, and all of them
 * where the operator does; and of each its oldest messages, behind those that are gone, until one comes that is not over.
 */
@Injectable()
export class ExpiredEvents extends ByTheClock {
  readonly #log = new Logger('processes');
  /** Up to where what stands in a room was looked at: states, and what is gone. The views know it of what was taken away. */
  readonly #passed = new LruCache<string, RowKey>(REMEMBERED);
  /** The last room that was looked at; undefined: it begins with the first. */
  #last: RoomId | undefined;
  #isRuled = false;
  /** Whether a room could not be looked at for the moment. */
  #isHeldUp = false;

  constructor(
    private readonly commands: CommandBus,
    private readonly rules: RuleRetention,
    @Inject(EVENT_STORE) private readonly events: Pick<EventStore, 'head'>,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(HELD_CLOCK) private readonly clock: HeldClock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'retention'>,
  ) {
    super();
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#passed.numbers;
  }

  protected beginToLook(): void {
    this.looks.begin(this.views, ASKED, this.events);
  }

  /** By all that the log has now: views that are filled anew show what rooms said before. Throws ViewsUnavailable where they do not show it. */
  protected async doDue(): Promise<number> {
    if (!this.#isRuled) await this.rules.rule();
    this.#isRuled = true;
    if (!this.config.retention.isOn) return AT_LATEST_MS;
    const head = await this.events.head();
    for (const name of ASKED) await awaitShown(this.views, name, head, 'for how long rooms keep messages');
    this.#isHeldUp = false;
    return (await this.#expireDue()) && !this.#isHeldUp ? LOOK_MS : SOON_MS;
  }

  protected lookFailed(error: unknown): void {
    this.#log.warn({ err: error }, 'messages that are to go because of their age were not looked for');
  }

  /** Answers whether all that is due is done. A look that has done enough is followed by one that begins behind its last room. */
  async #expireDue(): Promise<boolean> {
    const { defaultMaxMs } = this.config.retention;
    const rooms = defaultMaxMs === undefined ? RETENTION_ROOMS : OWN_ROOMS;
    const turn = new Turn(1);
    let left = AT_ONCE;
    const begun = this.#last;
    let told: Promise<number> | undefined;
    // Once for a look, where something waits for it: the log is asked for that.
    const now = (): Promise<number> => (told ??= Promise.resolve(this.clock.now()));
    for await (const page of rooms.pages(this.views, begun === undefined ? {} : { after: [begun] })) {
      for (const { key } of page) {
        if (turn.isOver()) await turn.pass();
        if (this.looks.isStopped) return true;
        [this.#last] = key;
        left -= await this.#expireIn(key[0], left, now);
        if (left <= 0) return false;
      }
    }
    this.#last = undefined;
    return begun === undefined;
  }

  /** Answers how many events of a room have gone, `most` at most. */
  async #expireIn(roomId: RoomId, most: number, now: () => Promise<number>): Promise<number> {
    try {
      const lifetime = await findLifetime(this.views, roomId);
      if (lifetime === undefined) return 0;
      const at = await now();
      const due = (kept: MessagesKept, left: number) => this.#expire({ roomId, kept, lifetime, now: at }, left);
      const news = await due('news', most);
      return news + (await due('past', most - news));
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
      // Else it is being purged, or is no more.
      if (mayPass(error)) this.#isHeldUp = true;
      return 0;
    }
  }

  async #expire(kept: Kept, most: number): Promise<number> {
    let gone = 0;
    while (gone < most && !this.looks.isStopped) {
      const due = await this.#findDue(kept, Math.min(most - gone, IN_A_TURN));
      if (due === undefined) break;
      for (let at = 0; at < due.eventIds.length;) {
        const { roomId, kept: where } = kept;
        at += await this.commands.execute(new ExpireEvents(roomId, due.eventIds.slice(at), where));
      }
      this.#passed.set(nameOf(kept), due.upTo);
      gone += due.eventIds.length;
      if (due.eventIds.length === 0) break;
    }
    return gone;
  }

  /** The next messages that are over, and up to where that is so; undefined where there is nothing behind what is known. */
  async #findDue(kept: Kept, most: number): Promise<Due | undefined> {
    const { roomId, lifetime, now } = kept;
    const rows = collectionOf({ isHistory: kept.kept === 'past' });
    const passed = this.#passed.get(nameOf(kept)) ?? (await this.#findGone(kept));
    const eventIds: EventId[] = [];
    let upTo = passed;
    const turn = new Turn(1);
    const range = { prefix: [roomId] as const, ...(passed === undefined ? {} : { after: passed }) };
    // PERF: of most rooms the first row says that there is nothing to do.
    const [head] = await rows.scan(this.views, { ...range, limit: 1 });
    if (head === undefined || isKept(rowHeaderOf(head.value), kept)) return undefined;
    for await (const page of rows.pages(this.views, range, PAGE)) {
      for (const { key, value } of page) {
        if (turn.isOver()) await turn.pass();
        const header = rowHeaderOf(value);
        if (isKept(header, kept)) return upTo && { eventIds, upTo };
        if (isOver(header, lifetime, now)) eventIds.push(header.eventId);
        upTo = key;
        if (eventIds.length === most) return { eventIds, upTo };
      }
    }
    return upTo && { eventIds, upTo };
  }

  /** Up to where messages of a room were taken away, as the views tell it. */
  async #findGone({ roomId, kept }: Kept): Promise<RowKey | undefined> {
    const eventId = await EXPIRED_UP_TO.get(this.views, [roomId, kept]);
    const [place] = eventId === undefined ? [] : await findPlaces(this.views, roomId, [eventId]);
    return place && rowKeyOf(roomId, place);
  }
}

/** The messages of a room, those that were news or those of the past, and how long they are kept. */
interface Kept {
  readonly roomId: RoomId;
  readonly kept: MessagesKept;
  readonly lifetime: number;
  readonly now: number;
}

/** Whether a message is there that may go later. */
function isKept(header: RowHeader, { lifetime, now }: Kept): boolean {
  return header.stateKey === undefined && header.redactedBy === undefined && !isOver(header, lifetime, now);
}

interface Due {
  readonly eventIds: readonly EventId[];
  /** The last row that is gone, or stays for ever. */
  readonly upTo: RowKey;
}

function nameOf({ roomId, kept }: Kept): string {
  return `${kept} ${roomId}`;
}
