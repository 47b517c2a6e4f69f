import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { ServerName } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { messageOf } from '#kernel/message-of';
import { PeerRefused } from '#kernel/peer-errors';
import { Slots } from '#kernel/slots';
import type { Logger } from '#observability/logger';
import type { Peers } from '../peers/peers.js';
import type { Transaction } from './handed.js';

/** What a delivery asks of the other servers. */
export type AskedPeers = Pick<Peers, 'ask'>;

/** A receiver may look for what it lacks before it answers. */
const TIMEOUT_MS = 60_000;
/** PERF: so many requests begin before everything else has its turn: each costs a signature, which makes some tenths of a millisecond. */
const BEGUN_AT_ONCE = 8;
/**
 * How many servers that have answered before, and how many others, are sent to at the same time; and how many of those that did not answer
 * the last time, or late. These wait for each other alone: they may be thousands, of which each takes as long as it may.
 */
const SIDE_BY_SIDE = 1_000;
const OTHERS_SIDE_BY_SIDE = 200;
const LATE_SIDE_BY_SIDE = 200;
const LATE_MS = 10_000;
/** Of how many servers it is remembered that they answered late. */
const REMEMBERED = 20_000;
/** The pauses before a transaction that failed is sent again, as it was; then its server is left alone. One that never answered gets one. */
const PAUSES_MS = [1_000, 5_000, 15_000];

/** What was delivered since the start, for metrics. */
export interface DeliveryNumbers {
  accepted: number;
  failed: number;
  refused: number;
  pdus: number;
  edus: number;
}

/** How one server is sent to. */
export interface DeliveryTerms {
  /** It answered before. */
  readonly isProven: boolean;
  /** It is tried once, also where it is left alone for now: whether it is there again. */
  readonly isProbe: boolean;
  /** Called at the first failure. */
  readonly onFailure: () => void;
}

/** Sends transactions: each until it is accepted, refused for good, or its server counts as one that cannot be reached. */
export class TransactionDelivery {
  readonly numbers: DeliveryNumbers = { accepted: 0, failed: 0, refused: 0, pdus: 0, edus: 0 };
  readonly #proven = new Slots(SIDE_BY_SIDE);
  readonly #others = new Slots(OTHERS_SIDE_BY_SIDE);
  readonly #late = new Slots(LATE_SIDE_BY_SIDE);
  readonly #wereLate = new LruCache<ServerName, true>(REMEMBERED);
  readonly #waiting: (() => void)[] = [];
  #isPacing = false;

  constructor(
    private readonly peers: AskedPeers,
    private readonly logger: Logger,
    private readonly pausesMs: readonly number[] = PAUSES_MS,
  ) {}

  /** For metrics: of whom it is remembered that they answered late. */
  get lateServers(): CacheNumbers {
    return this.#wereLate.numbers;
  }

  /**
   * Settles once the transaction is done with. Throws what `ask` throws of a server that cannot be reached, after some tries, or
   * the reason of `signal`.
   */
  async deliver(
    server: ServerName,
    transaction: Transaction,
    { isProven, isProbe, onFailure }: DeliveryTerms,
    signal: AbortSignal,
  ): Promise<void> {
    for (let tries = 0; ; tries++) {
      const isLate = isProbe || this.#wereLate.get(server) === true;
      const slots = isLate ? this.#late : isProven ? this.#proven : this.#others;
      try {
        await slots.run(() => this.#send(server, transaction, isProbe || tries > 0, signal));
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof PeerRefused && isForGood(error)) return this.#giveUp(server, transaction, error);
        this.numbers.failed++;
        onFailure();
        const pause = this.pausesMs[tries];
        if (isProbe || pause === undefined || (!isProven && tries > 0)) throw error;
        await delay(pause, undefined, { signal, ref: false });
      }
    }
  }

  async #send(server: ServerName, transaction: Transaction, insists: boolean, signal: AbortSignal): Promise<void> {
    await this.#turn();
    const path = `/_matrix/federation/v1/send/${encodeURIComponent(transaction.id)}`;
    const { content: contentText } = transaction;
    const request = { method: 'PUT', path, contentText, timeoutMs: TIMEOUT_MS, insists, signal } as const;
    const began = performance.now();
    const { pdus } = await this.peers.ask(server, request).finally(() => {
      if (performance.now() - began > LATE_MS) this.#wereLate.set(server, true);
      else this.#wereLate.delete(server);
    });
    this.numbers.accepted++;
    this.numbers.pdus += transaction.pdus;
    this.numbers.edus += transaction.edus;
    if (isJsonObject(pdus)) this.#tellRefused(server, pdus);
  }

  /** It would be refused again for ever, and with it all that comes after. */
  #giveUp(server: ServerName, { id, pdus, edus }: Transaction, error: PeerRefused): void {
    this.numbers.refused++;
    this.logger.warn(
      { server, transaction: id, pdus, edus, reason: messageOf(error) },
      'a server refuses a transaction: it does not get what is in it',
    );
  }

  #tellRefused(server: ServerName, results: Readonly<Record<string, unknown>>): void {
    for (const [eventId, result] of Object.entries(results)) {
      const reason = isJsonObject(result) ? result['error'] : undefined;
      if (reason !== undefined) this.logger.debug({ server, eventId, reason }, 'a server refuses an event');
    }
  }

  /** Settles when the next request may begin. */
  async #turn(): Promise<void> {
    const turn = new Promise<void>((begin) => this.#waiting.push(begin));
    if (!this.#isPacing) void this.#pace();
    return turn;
  }

  async #pace(): Promise<void> {
    this.#isPacing = true;
    while (this.#waiting.length > 0) {
      for (const begin of this.#waiting.splice(0, BEGUN_AT_ONCE)) begin();
      await nextTurn();
    }
    this.#isPacing = false;
  }
}

/** Whether a server will not accept a transaction whenever it is sent: not because of us, of its own state, or of how much it is sent. */
function isForGood({ status }: PeerRefused): boolean {
  return status >= 400 && status < 500 && ![401, 403, 404, 408, 429].includes(status);
}
