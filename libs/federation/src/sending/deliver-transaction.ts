import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { messageOf } from '#kernel/message-of';
import { PeerRefused } from '#kernel/peer-errors';
import { Slots } from '#kernel/slots';
import type { Logger } from '#observability/logger';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { Pdu } from '#protocol/room-event';
import { DEFAULT_ROOM_VERSION, findRoomVersion } from '#protocol/room-versions/room-versions';
import { hasOwnSpelling } from '#protocol/canonical-json/has-own-spelling';
import { eventIdOf } from '#protocol/signing/reference-hash';
import type { Peers } from '../peers/peers.js';
import type { Transaction } from './handed.js';
import type { TransactionWriter } from './write-transaction.js';

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

/** A server that asks for a pause is waited for so long at most, and as often as one that fails; else it is left alone for as long as it asks. */
const LONGEST_ASKED_MS = 60_000;
/** Where so many things in a row are refused, each alone, it is not because of them: the server is left alone, and gets them later. */
const MOST_REFUSED_ALONE = 8;
const NEWEST = findRoomVersion(DEFAULT_ROOM_VERSION)!;

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

/** How far a delivery has come. */
interface Course extends DeliveryTerms {
  refusedAlone: number;
  /** Something that this server signed was taken. */
  isBelieved: boolean;
}

/**
 * Sends transactions: each until it is accepted, or its server counts as one that cannot be reached. Of one that is refused for good the
 * halves are sent, until what the server does not take is alone: that it never gets.
 */
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
    private readonly writer: TransactionWriter,
    private readonly logger: Logger,
    private readonly pausesMs: readonly number[] = PAUSES_MS,
  ) {}

  /** For metrics: of whom it is remembered that they answered late. */
  get lateServers(): CacheNumbers {
    return this.#wereLate.numbers;
  }

  /**
   * Settles once the transaction is done with. Throws what `ask` throws of a server that cannot be reached, after some tries, or of one
   * that takes nothing, or the reason of `signal`.
   */
  deliver(server: ServerName, transaction: Transaction, terms: DeliveryTerms, signal: AbortSignal): Promise<void> {
    return this.#deliverPart(server, transaction, { ...terms, refusedAlone: 0, isBelieved: false }, signal);
  }

  async #deliverPart(server: ServerName, transaction: Transaction, course: Course, signal: AbortSignal): Promise<void> {
    const refusal = await this.#deliverWhole(server, transaction, course, signal);
    if (refusal === undefined) {
      course.refusedAlone = 0;
      course.isBelieved = true;
      return;
    }
    const halves = this.writer.halve(transaction);
    if (halves === undefined) {
      if (!isForGood(refusal)) return this.#tellLostIfBelieved(server, transaction, refusal, course, signal);
      // It is not one thing that it does not take.
      if (++course.refusedAlone > MOST_REFUSED_ALONE || !isOfContent(refusal)) throw refusal;
      return this.#tellLost(server, transaction, refusal);
    }
    for (const half of halves) await this.#deliverPart(server, half, course, signal);
  }

  /** Whose signatures it takes none of, because it lacks our key, gets it later: then it does not take one without a number either. */
  async #tellLostIfBelieved(
    server: ServerName,
    transaction: Transaction,
    refusal: PeerRefused,
    course: Course,
    signal: AbortSignal,
  ): Promise<void> {
    if (!course.isBelieved) await this.#deliverPart(server, this.writer.write([], []), course, signal);
    this.#tellLost(server, transaction, refusal);
  }

  /** Answers why the server will not accept it whenever it is sent; undefined where it has. */
  async #deliverWhole(
    server: ServerName,
    transaction: Transaction,
    { isProven, isProbe, onFailure }: DeliveryTerms,
    signal: AbortSignal,
  ): Promise<PeerRefused | undefined> {
    for (let tries = 0, pauses = 0; ;) {
      const isLate = isProbe || this.#wereLate.get(server) === true;
      const slots = isLate ? this.#late : isProven ? this.#proven : this.#others;
      try {
        await slots.run(() => this.#send(server, transaction, isProbe || tries + pauses > 0, signal));
        return undefined;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof PeerRefused && (isForGood(error) || isMisread(error, transaction))) return error;
        this.numbers.failed++;
        onFailure();
        const asked = error instanceof PeerRefused ? error.retryAfterMs : undefined;
        const pause = this.pausesMs[asked === undefined ? tries++ : pauses++];
        if (asked === undefined ? isProbe || (!isProven && tries > 1) : asked > LONGEST_ASKED_MS) throw error;
        if (pause === undefined) throw error;
        await delay(Math.max(asked ?? 0, pause), undefined, { signal, ref: false });
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
    this.numbers.pdus += transaction.pdus.length;
    this.numbers.edus += transaction.edus.length;
    if (isJsonObject(pdus)) this.#tellRefused(server, pdus);
  }

  /** It would be refused again for ever, and with it all that comes after. */
  #tellLost(server: ServerName, { pdus, edus }: Transaction, error: PeerRefused): void {
    this.numbers.refused++;
    const [pdu, edu] = [pdus[0], edus[0]];
    const { type, room_id: roomId, sender, edu_type: eduType } = JSON.parse(pdu ?? edu ?? '{}') as JsonObject; // canonical JSON
    const what = pdu === undefined ? { eduType } : { type, roomId, sender, eventId: idOf(pdu) };
    const told = { server, ...what, bytes: Buffer.byteLength(pdu ?? edu ?? ''), reason: messageOf(error) };
    this.logger.warn(told, 'a server refuses what it is sent for good: it does not get this');
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
  return [400, 413, 422].includes(status);
}

/**
 * Whether the signature may not hold because the server spells a number otherwise, as it writes all anew before it looks at that. It would
 * be so for ever: what users here send to devices may have such numbers, and events in rooms of versions 1 to 5.
 */
function isMisread({ status }: PeerRefused, { content }: Transaction): boolean {
  return status === 401 && hasOwnSpelling(content);
}

/** Whether a refusal is of what was sent: what stands before a server says so too of requests that are not as it likes, but for their size. */
function isOfContent({ status, errcode }: PeerRefused): boolean {
  return status === 413 || errcode !== undefined;
}

/** In the rooms of today: which version one has is not known here. */
function idOf(pdu: string): string | undefined {
  try {
    return eventIdOf(parseJson(pdu, { lenient: true }) as Pdu, NEWEST);
  } catch {
    return undefined;
  }
}
