import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { doublingPause } from '#kernel/doubling-pause';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { LruCache } from '#kernel/lru-cache';
import { Slots } from '#kernel/slots';
import { LOGGER, type Logger } from '#observability/logger';
import { type NewWaitingPdu, waitingKey, type WaitingPdu } from '../facts/inbound-facts.js';
import { EVENT_FETCHING, type EventFetching, type Settlement } from '../fetching/event-fetching.js';
import { isOutage, tellUnlessOutage } from '../is-outage.js';
import { Peers } from '../peers/peers.js';
import { FreedPlaces } from './freed-places.js';
import { type Added, InboundLog } from './inbound-log.js';
import { RoomsHere } from './rooms-here.js';

/** An event that waits, as the queue of its room has it. Times are by the stopwatch, in milliseconds. */
interface Entry {
  readonly pdu: WaitingPdu;
  /** When its time had come: those in between, because its server was there, do not count. */
  tries: number;
  /** When it was tried last: Infinity while it is, -Infinity where it was not yet. */
  triedAt: number;
  dueAt: number;
  /** It is to be tried now, whenever it is due. */
  isWoken: boolean;
}

interface RoomQueue {
  /** Oldest first. */
  readonly entries: Map<EventId, Entry>;
  /** When something of a server was last tried: the more, the later. */
  readonly turns: Map<ServerName, number>;
  draining: boolean;
  timer?: NodeJS.Timeout;
}

/** The first pause before an event is tried again; each is twice as long as the one before. */
const FIRST_PAUSE_MS = 5_000;
/**
 * A server that is there is told of again and again: with each request. What it sent is tried at once half a minute after the last try at
 * the soonest, and after a part of the pause.
 */
const WAKES_AFTER_MS = 30_000;
const WAKES_IN_PAUSE = 4;
const LONGEST_PAUSE_MS = 60 * 60_000;
/** After so many tries in vain, over some seven hours, an event is given up. What comes after it asks for it again. */
const MOST_TRIES = 16;
/** How many rooms are fetched for at a time because of what one server sent. */
const AT_ONCE_OF_SERVER = 8;
const SERVERS = 10_000;
/** How long it is waited for that of a host fewer wait. */
const FEWER_WITHIN_MS = 30_000;
/** Another process may have ended before it fetched what it had taken: how often that is looked for, and after how long it is done here. */
const SWEEP_MS = 60_000;
const LEFT_AFTER_MS = 10 * 60_000;

/**
 * The inbound queue: each room's events that miss others, in their order. What they miss is fetched, and they are received again, for as
 * long as it takes. They are in the log, so nothing that was taken is lost with the process. Rooms do not wait for each other, but those
 * that one server keeps busy.
 */
@Injectable()
export class InboundQueue implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #rooms = new Map<RoomId, RoomQueue>();
  readonly #slots = new LruCache<ServerName, Slots>(SERVERS);
  readonly #freed: FreedPlaces;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: InboundLog,
    @Inject(EVENT_FETCHING) private readonly fetching: EventFetching,
    private readonly rooms: RoomsHere,
    @Inject(Peers) private readonly peers: Pick<Peers, 'onAwake'>,
    @Inject(CLOCK) private readonly clock: Clock & Stopwatch,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.#freed = new FreedPlaces(clock);
  }

  onApplicationBootstrap(): void {
    this.peers.onAwake((server) => this.#wake(server));
    this.rooms.onSettled((roomId) => this.#tryAll(roomId));
    void this.#takeUp(0);
    this.#timer = setInterval(() => void this.#takeUp(LEFT_AFTER_MS), SWEEP_MS).unref();
  }

  onModuleDestroy(): void {
    this.#stopping.abort();
    this.#freed.close();
    clearInterval(this.#timer);
    for (const { timer } of this.#rooms.values()) clearTimeout(timer);
  }

  /**
   * Lets events of one server wait, durably, as far as there are not too many. Where its host has as many as it may, and they get fewer, that
   * is waited for: its server sends the next once it is answered, and no faster than they find their place.
   */
  async add(origin: ServerName, pdus: readonly NewWaitingPdu[]): Promise<Added> {
    const until = this.clock.elapsed() + FEWER_WITHIN_MS;
    const waiting: WaitingPdu[] = [];
    const gaveWay: NewWaitingPdu[] = [];
    for (let left = pdus; ;) {
      const added = await this.#addNow(origin, left);
      waiting.push(...added.waiting);
      gaveWay.push(...added.gaveWay);
      const taken = new Set([...added.waiting, ...added.gaveWay].map(waitingKey));
      left = left.filter((pdu) => !taken.has(waitingKey(pdu)));
      if (left.length === 0 || added.isCrowded || !(await this.#freed.next(origin, until)))
        return { waiting, gaveWay, isCrowded: added.isCrowded };
    }
  }

  async #addNow(origin: ServerName, pdus: readonly NewWaitingPdu[]): Promise<Added> {
    const added = await this.log.add(origin, pdus);
    for (const { roomId, eventId } of added.gaveWay) this.#rooms.get(roomId)?.entries.delete(eventId);
    for (const pdu of added.waiting) this.#enqueue(pdu);
    return added;
  }

  /** A server is there: what it sent is tried now, unless that was a moment ago. */
  #wake(server: ServerName): void {
    const now = this.clock.elapsed();
    for (const [roomId, { entries }] of this.#rooms) {
      const ofServer = [...entries.values()].filter(({ pdu, triedAt, tries }) => {
        return pdu.origin === server && now - triedAt > Math.max(WAKES_AFTER_MS, pauseAfter(tries) / WAKES_IN_PAUSE);
      });
      for (const entry of ofServer) entry.isWoken = true;
      if (ofServer.length > 0) this.#wakeRoom(roomId);
    }
  }

  /** A room has come, or never will. */
  #tryAll(roomId: RoomId): void {
    for (const entry of this.#rooms.get(roomId)?.entries.values() ?? []) entry.isWoken = true;
    this.#wakeRoom(roomId);
  }

  /**
   * Takes what the log has and this process does not do: after a start all, else what another one has left. What is of a time to come was
   * noted by a clock that was put back since, and is as old as anything.
   */
  async #takeUp(minAge: number): Promise<void> {
    try {
      const now = this.clock.now();
      for (const pdu of (await this.log.load()).values()) if (Math.abs(now - pdu.at) >= minAge) this.#enqueue(pdu);
    } catch (error) {
      // An outage is told where the log is watched; the next sweep looks again.
      tellUnlessOutage(this.logger, error, 'what other servers sent could not be taken up');
    }
  }

  #enqueue(pdu: WaitingPdu): void {
    const queue = this.#rooms.get(pdu.roomId) ?? { entries: new Map(), turns: new Map(), draining: false };
    this.#rooms.set(pdu.roomId, queue);
    if (!queue.entries.has(pdu.eventId))
      queue.entries.set(pdu.eventId, { pdu, tries: 0, triedAt: -Infinity, dueAt: 0, isWoken: false });
    this.#wakeRoom(pdu.roomId);
  }

  #wakeRoom(roomId: RoomId): void {
    const queue = this.#rooms.get(roomId);
    if (queue === undefined || queue.draining || this.#stopping.signal.aborted) return;
    queue.draining = true;
    void this.#drain(queue).then(() => {
      queue.draining = false;
      if (queue.entries.size === 0) this.#rooms.delete(roomId);
      else this.#wakeLater(roomId, queue);
    });
  }

  #wakeLater(roomId: RoomId, queue: RoomQueue): void {
    const dueAt = Math.min(...Array.from(queue.entries.values(), (entry) => (entry.isWoken ? 0 : entry.dueAt)));
    clearTimeout(queue.timer);
    const pause = Math.max(0, dueAt - this.clock.elapsed());
    if (!this.#stopping.signal.aborted) queue.timer = setTimeout(() => this.#wakeRoom(roomId), pause).unref();
  }

  async #drain(queue: RoomQueue): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const next = nextOf(queue, this.clock.elapsed());
      if (next === undefined) return;
      const counts = next.dueAt <= this.clock.elapsed();
      next.isWoken = false;
      const outcome = await this.#tryOne(next, counts);
      if (outcome === 'settled') {
        queue.entries.delete(next.pdu.eventId);
        this.#freed.free(next.pdu.origin);
      } else if (outcome === 'away') next.dueAt = this.clock.elapsed() + pauseAfter(1);
      else if (counts) next.dueAt = this.clock.elapsed() + pauseAfter(++next.tries);
    }
  }

  /** Tries an event. `away`: the log or the views are, and that counts for no try. Never throws. */
  async #tryOne(entry: Entry, counts: boolean): Promise<'settled' | 'waits' | 'away'> {
    const { pdu, tries } = entry;
    const { roomId, eventId, origin } = pdu;
    entry.triedAt = Infinity;
    try {
      const { kind, reason } = await this.#slotsOf(origin).run(() => this.#fetch(pdu));
      if (kind === 'waits' && (!counts || tries + 1 < MOST_TRIES)) return kind;
      if (reason !== undefined) this.logger.info({ roomId, eventId, origin, reason }, 'an event was not taken');
      await this.log.settle(pdu, reason);
      return 'settled';
    } catch (error) {
      if (!isOutage(error)) this.logger.error({ err: error, roomId, eventId, origin }, 'an event could not be settled');
      return 'away';
    } finally {
      entry.triedAt = this.clock.elapsed();
    }
  }

  /** What fails by our own mistake is settled too in the end, lest it be tried for ever. */
  async #fetch(pdu: WaitingPdu): Promise<Settlement> {
    const { signal } = this.#stopping;
    if (signal.aborted) return { kind: 'waits', reason: 'The server ends' };
    try {
      return await this.fetching.receive(pdu, signal);
    } catch (error) {
      if (isOutage(error)) throw error;
      const { roomId, eventId, origin } = pdu;
      this.logger.error({ err: error, roomId, eventId, origin }, 'an event could not be taken');
      return { kind: 'waits', reason: 'It could not be judged' };
    }
  }

  #slotsOf(server: ServerName): Slots {
    const slots = this.#slots.get(server) ?? new Slots(AT_ONCE_OF_SERVER);
    this.#slots.set(server, slots);
    return slots;
  }
}

/**
 * Of those that are to be tried now one of the server whose turn was longest ago: who lets us wait for an answer to each of many events
 * holds up what others sent to the room by one of them. Of its own what was not tried for longest, the oldest first.
 */
function nextOf({ entries, turns }: RoomQueue, now: number): Entry | undefined {
  const turnOf = ({ pdu }: Entry): number => turns.get(pdu.origin) ?? 0;
  let next: Entry | undefined;
  for (const entry of entries.values()) {
    if (!entry.isWoken && entry.dueAt > now) continue;
    const ahead = next === undefined ? -1 : turnOf(entry) - turnOf(next);
    if (ahead < 0 || (ahead === 0 && entry.triedAt < next!.triedAt)) next = entry;
  }
  if (next !== undefined) turns.set(next.pdu.origin, Math.max(0, ...turns.values()) + 1);
  return next;
}

function pauseAfter(tries: number): number {
  return doublingPause(tries, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
}
