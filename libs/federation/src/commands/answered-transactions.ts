import { Inject, Injectable } from '@nestjs/common';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { originStream, type PduResults, readTransaction, type TransactionReceived } from '../facts/origin-facts.js';

const ORIGINS = 5_000;
/** Of transactions that are in memory alone. */
const REMEMBERED = 10_000;
/** So many facts that others have overtaken stand in a stream at most. */
const FACTS_PER_TRUNCATION = 16;

/** What a transaction was answered, and how much it held beside what that names. */
export interface TransactionAnswer {
  readonly pdus: PduResults;
  /** How many there were: none, where only the log remembers it. */
  readonly edus: number;
}

/**
 * What transactions of other servers were answered. A server sends one after another, and each again until it is answered: so of each
 * server the last is kept in the log, and some more in memory.
 */
@Injectable()
export class AnsweredTransactions {
  readonly #last: Aggregates<TransactionReceived | undefined>;
  readonly #remembered = new LruCache<string, TransactionAnswer>(REMEMBERED);

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
  ) {
    const evolve = (_: unknown, fact: NewFact) => readTransaction(fact);
    this.#last = new Aggregates<TransactionReceived | undefined>({
      store,
      clock,
      capacity: ORIGINS,
      initialState: undefined,
      evolve,
      newestOnly: true,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#remembered.numbers;
  }

  /** What a transaction was answered; undefined where it was not, as far as is known. */
  async find(origin: ServerName, txnId: string): Promise<TransactionAnswer | undefined> {
    const remembered = this.#remembered.get(nameOf(origin, txnId));
    if (remembered !== undefined) return remembered;
    const { state: last } = await this.#last.load(originStream(origin));
    return last?.txn_id === txnId ? { pdus: last.pdus, edus: 0 } : undefined;
  }

  /** Notes what a transaction is answered. `isDurable`: also for after a restart, before this settles. */
  async note(origin: ServerName, txnId: string, answered: TransactionAnswer, isDurable: boolean): Promise<void> {
    if (isDurable) await this.#keep(origin, { txn_id: txnId, pdus: answered.pdus });
    this.#remembered.set(nameOf(origin, txnId), answered);
  }

  async #keep(origin: ServerName, data: TransactionReceived): Promise<void> {
    const stream = originStream(origin);
    const decide = () => [draftOf({ type: 'transaction-received', data })];
    const { revision } = await this.#last.execute(stream, decide, { actor: origin });
    const isDue = typeof revision === 'number' && revision > 0 && revision % FACTS_PER_TRUNCATION === 0;
    if (isDue) await this.store.truncate(stream, revision);
  }
}

function nameOf(origin: ServerName, txnId: string): string {
  return `${origin} ${txnId}`;
}
