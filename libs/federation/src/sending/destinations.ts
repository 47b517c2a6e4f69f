import { setMaxListeners } from 'node:events';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { FactPlace } from '#projections/effects/effect-progress';
import type { DestinationBehind } from '../facts/destination-facts.js';
import { Peers } from '../peers/peers.js';
import { type DeliveryNumbers, TransactionDelivery } from './deliver-transaction.js';
import { DestinationQueue } from './destination-queue.js';
import type { OutgoingItem, Transaction } from './handed.js';
import { MissedByDestination } from './missed-by-destination.js';
import { SleepingDestinations } from './sleeping-destinations.js';
import { TransactionWriter } from './write-transaction.js';

/** How often it is looked who is slow, and in every fifth look who is to be tried again. */
const LOOK_MS = 1_000;
const LOOKS_PER_RETRY = 5;
/** After that nobody waits any longer for a server: it is noted that it is behind. */
const SLOW_MS = 10_000;
/** So many are tried again at a time. */
const MOST_RETRIED = 200;
/** Of how many servers it is remembered that they answered. */
const REMEMBERED = 5_000;

/** How a server is sent to now, by this process. */
export interface DestinationStatus {
  /** PDUs and EDUs that wait in memory, those under way too. */
  readonly waiting: number;
  readonly isSending: boolean;
  /** When it is tried again; undefined where it is not left alone. */
  readonly retryAt: number | undefined;
  /** When it last accepted something, in milliseconds since the epoch; undefined where it did not since the start. */
  readonly acceptedAt: number | undefined;
}

/** The same, with what the log says of it. */
export interface DestinationReport extends DestinationStatus {
  /** From where on it lacks what it was to be sent; null where it lacks nothing but what waits. */
  readonly behind: DestinationBehind | null;
}

/**
 * All servers that are sent to: to each one transaction at a time, whose order is that of the log. Those that cannot be reached, or not
 * fast enough, are noted in the log and cost nothing more: what they lack is looked for when they are there again.
 */
@Injectable()
export class Destinations implements OnModuleDestroy {
  readonly #active = new Map<ServerName, DestinationQueue>();
  readonly #accepted = new LruCache<ServerName, number>(REMEMBERED);
  /** Of this process as the one that sends PDUs; undefined while it is another. */
  #sending: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #forgetListener: (() => void) | undefined;
  #looks = 0;
  /** The last fact of which something was to be sent. */
  #handed: FactPlace | undefined;
  /** EDUs that may be lost are sent by every process. */
  readonly #ending = new AbortController();

  constructor(
    @Inject(CLOCK) private readonly clock: Clock & Stopwatch,
    private readonly peers: Peers,
    private readonly sleeping: SleepingDestinations,
    private readonly delivery: TransactionDelivery,
    private readonly missed: MissedByDestination,
    private readonly writer: TransactionWriter,
  ) {}

  /** Of whom it is remembered that they answered, or did so late: for metrics. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return { 'accepting-servers': this.#accepted.numbers, 'late-servers': this.delivery.lateServers };
  }

  get numbers(): DeliveryNumbers & { readonly active: number; readonly asleep: number } {
    return { ...this.delivery.numbers, active: this.#active.size, asleep: this.sleeping.size };
  }

  describe(server: ServerName): DestinationStatus {
    const queue = this.#active.get(server);
    return {
      waiting: queue?.waiting ?? 0,
      isSending: queue !== undefined,
      retryAt: this.sleeping.retryAt(server),
      acceptedAt: this.#accepted.get(server),
    };
  }

  /** This process is the one that sends PDUs from now on. Throws where the views are away. */
  async begin(): Promise<void> {
    await this.sleeping.load();
    // What is under way there may be lost, and ends by itself: what must not be lost is not to go on with it after this process has ended to send.
    this.#active.clear();
    this.#sending = new AbortController();
    // Each server that something is on its way to listens.
    setMaxListeners(0, this.#sending.signal);
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
    this.#forgetListener = this.peers.onAwake((server) => {
      if (this.sleeping.hear(server)) this.#wake(server);
    });
    this.#retry();
  }

  /** It is not any more, or everything ends: what is under way is left. What was not delivered begins again with whoever sends next. */
  end(): void {
    clearInterval(this.#timer);
    this.#forgetListener?.();
    this.#sending?.abort();
    this.#sending = undefined;
    this.sleeping.forgetAll();
    this.#active.clear();
  }

  onModuleDestroy(): void {
    this.end();
    this.#ending.abort();
  }

  /** Sends something that must not be lost. Where the server is left alone nothing is done: it is noted that it lacks this. */
  send(server: ServerName, item: OutgoingItem): void {
    this.#handed = item.handed?.place ?? this.#handed;
    if (this.sleeping.has(server)) {
      item.handed?.settle();
      return;
    }
    const queue = this.#queueOf(server);
    queue.add(item);
    if (queue.isCrowded) void this.#leaveOut(queue);
  }

  /** Sends something that may be lost, and is where the server cannot be reached. `replaces`: in the place of what has the same key. */
  sendLosable(server: ServerName, text: string, replaces: string | undefined): void {
    if (this.sleeping.has(server) || this.peers.isLeftAlone(server)) return;
    this.#queueOf(server).addLosable(text, replaces);
  }

  #queueOf(server: ServerName): DestinationQueue {
    const known = this.#active.get(server);
    if (known !== undefined) return known;
    const queue = new DestinationQueue(server, () => this.clock.elapsed());
    this.#active.set(server, queue);
    // Together with what else comes for it in this turn.
    queueMicrotask(() => void this.#drive(queue, false));
    return queue;
  }

  #wake(server: ServerName): void {
    if (!this.sleeping.wake(server)) return;
    const queue = new DestinationQueue(server, () => this.clock.elapsed());
    queue.isNoted = true;
    queue.hasGap = true;
    this.#active.set(server, queue);
    void this.#drive(queue, true);
  }

  /** Sends what there is, one transaction after another, until there is nothing, or the server cannot be reached. Never throws. */
  async #drive(queue: DestinationQueue, isProbe: boolean): Promise<void> {
    const signal = (this.#sending ?? this.#ending).signal;
    try {
      let next = isProbe;
      while (!signal.aborted) {
        if (queue.hasGap) await this.#catchUp(queue, next, signal);
        next = false;
        const transaction = queue.take(this.writer);
        if (transaction !== undefined) {
          await this.#deliver(queue, transaction, false, signal);
          queue.accept();
        } else if (await this.#finish(queue)) return;
      }
    } catch (error) {
      if (!signal.aborted) await this.#leaveAlone(queue, error, signal).catch(() => {});
    }
  }

  /** What the server lacks from where it is noted to be behind. What comes meanwhile waits in the queue. */
  async #catchUp(queue: DestinationQueue, isProbe: boolean, signal: AbortSignal): Promise<void> {
    const { server } = queue;
    queue.hasGap = false;
    const since = await this.sleeping.findSince(server);
    if (since === undefined) return;
    const handed = this.#handed;
    let isFirst = isProbe;
    for await (const { pdus, edus, accepted } of this.missed.since(server, since)) {
      await this.#deliver(queue, this.writer.write(pdus, edus), isFirst, signal);
      accepted?.();
      isFirst = false;
    }
    if (queue.waiting > 0 && handed !== undefined) await this.sleeping.noteProgress(server, handed);
  }

  async #deliver(
    queue: DestinationQueue,
    transaction: Transaction,
    isProbe: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { server } = queue;
    const isProven = this.#accepted.get(server) !== undefined;
    const onFailure = (): void => void this.#note(queue);
    await this.delivery.deliver(server, transaction, { isProven, isProbe, onFailure }, signal);
    this.#accepted.set(server, this.clock.now());
  }

  /** Answers whether there was nothing more to do, and the queue is gone. */
  async #finish(queue: DestinationQueue): Promise<boolean> {
    await queue.noting;
    if (queue.waiting === 0 && !queue.hasGap && queue.isNoted) {
      // Before it is written: what comes from here on must be waited for again.
      queue.isNoted = false;
      await this.sleeping.noteCaughtUp(queue.server);
    }
    if (queue.waiting > 0 || queue.hasGap) return false;
    this.#remove(queue);
    return true;
  }

  /** Notes from where on a server is behind, and lets nobody wait for it any longer. */
  async #note(queue: DestinationQueue): Promise<void> {
    const signal = this.#sending?.signal;
    const { firstPlace } = queue;
    if (signal === undefined || queue.isNoted || firstPlace === undefined) return;
    queue.noting ??= this.sleeping
      .noteSlow(queue.server, firstPlace, signal)
      .then(() => queue.note())
      .catch(() => {})
      .finally(() => (queue.noting = undefined));
    await queue.noting;
  }

  /** So much waits for a server that it is told the newest of each room instead. */
  async #leaveOut(queue: DestinationQueue): Promise<void> {
    await this.#note(queue);
    if (queue.isNoted && queue.isCrowded) queue.leaveOut();
  }

  async #leaveAlone(queue: DestinationQueue, why: unknown, signal: AbortSignal): Promise<void> {
    const { server } = queue;
    await queue.noting;
    if (this.#sending === undefined) return this.#remove(queue);
    const isAsleep = await this.sleeping.sleep(server, queue.firstPlace, why, signal);
    // What came while nothing was owed to it has yet to be noted.
    if (!isAsleep && queue.firstPlace !== undefined) return this.#drive(queue, false);
    queue.leaveOut();
    this.#remove(queue);
  }

  /** Unless there is another one in its place, since this process began or ended to send. */
  #remove(queue: DestinationQueue): void {
    if (this.#active.get(queue.server) === queue) this.#active.delete(queue.server);
  }

  #look(): void {
    const now = this.clock.elapsed();
    for (const queue of this.#active.values()) {
      const { waitingSince } = queue;
      if (waitingSince !== undefined && now - waitingSince > SLOW_MS) void this.#note(queue);
    }
    if (++this.#looks % LOOKS_PER_RETRY === 0) this.#retry();
  }

  #retry(): void {
    for (const server of this.sleeping.due(MOST_RETRIED)) this.#wake(server);
  }
}
