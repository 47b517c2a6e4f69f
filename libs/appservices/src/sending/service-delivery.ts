import { setTimeout as delay } from 'node:timers/promises';
import type { AppService } from '#config/appservices/app-service';
import type { RecordedFact } from '#event-store/event-store';
import type { Clock } from '#kernel/clock';
import { doublingPause } from '#kernel/doubling-pause';
import { messageOf } from '#kernel/message-of';
import type { Logger } from '#observability/logger';
import type { ServiceClient } from '../asking/service-client.js';
import { type ServiceFact, type ServiceTransaction, transactionIdOf } from '../facts/service-facts.js';
import type { TransactionTexts } from '../texts/transaction-texts.js';
import type { ServiceNotes } from './service-notes.js';
import type { TakeCollected } from './take-collected.js';

export interface DeliveryParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly client: ServiceClient;
  readonly notes: ServiceNotes;
  readonly texts: Pick<TransactionTexts, 'writeAgain'>;
  readonly collected: Pick<TakeCollected, 'take'>;
}

/** What became of transactions, for metrics. */
export interface DeliveryNumbers {
  accepted: number;
  failed: number;
  events: number;
}

/** A transaction that a service does not take. */
export interface RefusedTransaction {
  /** As the service is given it. */
  readonly id: string;
  /** How many events it has. */
  readonly events: number;
  /** When it was written, in milliseconds since the epoch. */
  readonly since: number;
  readonly tries: number;
  /** What came of the last try. */
  readonly reason: string;
}

/** A transaction that is settled and written. */
export interface Written {
  readonly fact: Extract<ServiceFact, { type: 'service-transaction' }>;
  /** What it is made of. */
  readonly facts: readonly RecordedFact[];
  readonly body: string;
}

const WITHIN_MS = 60_000;
/** Between tries: twice as long each time, for as many days as it takes; less by chance, up to half. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/** So often the log says that a transaction is not taken. */
const TELL_EACH_MS = 3_600_000;

/** Gives one application service transactions that are settled, each until it is accepted (application service API, "Pushing events"). */
export class ServiceDelivery {
  readonly numbers: DeliveryNumbers = { accepted: 0, failed: 0, events: 0 };
  #refused: RefusedTransaction | undefined;
  #toldAt = 0;
  #cutPause: () => void = () => {};

  constructor(
    private readonly service: AppService,
    private readonly parts: DeliveryParts,
    private readonly signal: AbortSignal,
  ) {}

  /** What the service does not take just now. */
  get refused(): RefusedTransaction | undefined {
    return this.#refused;
  }

  /**
   * Settles once the service has accepted it, however long that takes, or an operator has passed it over, and answers what is noted then.
   * Throws Overtaken where something else is noted meanwhile, as the log and the views do, and where it is ended.
   */
  async deliver(written: Written): Promise<ServiceFact> {
    const { fact } = written;
    let { facts, body } = written;
    try {
      for (let failures = 1; ; failures++) {
        this.signal.throwIfAborted();
        const failure = await this.#try(fact.data, body);
        this.signal.throwIfAborted();
        if (failure === undefined) {
          await this.#noteAccepted(fact.data, facts, failures > 1);
          return fact;
        }
        this.#noteRefused(fact.data, failures, failure);
        await this.pause(failures);
        this.signal.throwIfAborted();
        // Somebody passed it over, or another process goes on from here.
        const skipped = await this.parts.notes.findSkipped(this.service.id, fact);
        if (skipped !== undefined) return skipped;
        // What has gone from the log meanwhile is not sent any more.
        ({ facts, body } = await this.parts.texts.writeAgain(this.service, fact.data));
      }
    } finally {
      this.#refused = undefined;
    }
  }

  /** Waits before something is tried again; not for long where the service is heard from. */
  async pause(failures: number): Promise<void> {
    const { signal } = this;
    const longest = doublingPause(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    const heard = new Promise<void>((cut) => (this.#cutPause = cut));
    const pause = delay(longest * (1 - Math.random() / 2), undefined, { signal, ref: false }).catch(() => {});
    // Who asks all the time and takes nothing is not sent to without a pause.
    const shortest = delay(Math.min(longest, FIRST_PAUSE_MS), undefined, { signal, ref: false }).catch(() => {});
    await Promise.race([pause, heard]);
    await shortest;
  }

  /** Ends a pause. */
  goOn(): void {
    this.#cutPause();
  }

  /** Answers what is wrong; undefined where it was accepted. */
  async #try(transaction: ServiceTransaction, body: string): Promise<string | undefined> {
    const path = `/transactions/${encodeURIComponent(transactionIdOf(transaction))}`;
    const sent = this.parts.client.ask(this.service, {
      method: 'PUT',
      path: `/_matrix/app/v1${path}`,
      legacyPath: path,
      body,
      withinMs: WITHIN_MS,
      signal: this.signal,
    });
    return sent.then(({ status }) => (status >= 200 && status < 300 ? undefined : `it answered ${status}`), messageOf);
  }

  async #noteAccepted(
    { events }: ServiceTransaction,
    facts: readonly RecordedFact[],
    wasRefused: boolean,
  ): Promise<void> {
    await this.parts.collected.take(this.service, facts);
    if (wasRefused) this.parts.logger.info({ service: this.service.id }, 'an application service is there again');
    this.numbers.accepted++;
    this.numbers.events += events.length;
  }

  #noteRefused(transaction: ServiceTransaction, tries: number, reason: string): void {
    const { clock, logger } = this.parts;
    const { made_at: since } = transaction;
    this.numbers.failed++;
    const id = transactionIdOf(transaction);
    this.#refused = { id, events: transaction.events.length, since, tries, reason };
    const told = { service: this.service.id, transaction: id, since: new Date(since).toISOString(), tries, reason };
    const now = clock.now();
    if (tries === 1)
      logger.warn(told, 'an application service did not take a transaction: it is sent again until it does');
    else if (now - this.#toldAt >= TELL_EACH_MS)
      logger.warn(told, 'an application service still does not take a transaction, and nothing behind it is sent');
    else return;
    this.#toldAt = now;
  }
}
