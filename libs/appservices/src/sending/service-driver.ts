import { setTimeout as delay } from 'node:timers/promises';
import type { AppService } from '#config/appservices/app-service';
import type { EventStore } from '#event-store/event-store';
import type { Presence } from '#ephemeral/presence/presence';
import type { Typing } from '#ephemeral/typing/typing';
import type { Clock } from '#kernel/clock';
import { doublingPause } from '#kernel/doubling-pause';
import { messageOf } from '#kernel/message-of';
import { type Position, START } from '#kernel/position';
import type { Logger } from '#observability/logger';
import type { Views } from '#projections/views';
import { createRoomFactReader, type RoomFactReader } from '#rooms/projections/room-fact-reader';
import type { ServiceClient } from '../asking/service-client.js';
import type { ServiceFact, ServiceTransaction } from '../facts/service-facts.js';
import { ServiceInterest } from '../interest/service-interest.js';
import { Passing } from './passing.js';
import { type Collected, ServiceLog } from './service-log.js';
import { ServiceMoments } from './service-moments.js';
import { Overtaken, type ServiceNotes } from './service-notes.js';
import type { TransactionTexts } from './transaction-texts.js';

export interface DriverParts {
  readonly store: Pick<EventStore, 'readAll'>;
  readonly views: Views;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly client: ServiceClient;
  readonly notes: ServiceNotes;
  readonly texts: TransactionTexts;
  readonly typing: Typing;
  readonly presence: Presence;
}

/** What became of transactions, for metrics. */
export interface DriverNumbers {
  accepted: number;
  failed: number;
  events: number;
}

/** What comes next, written. `last` is left out where nothing new was looked at in the log. */
interface Found extends Omit<Collected, 'last' | 'passing'> {
  readonly passing: ServiceTransaction['passing'];
  readonly last: Collected['last'] | undefined;
  readonly madeAt: number;
  readonly body: string;
}

/** A transaction that is settled and written. */
interface Written {
  readonly fact: Extract<ServiceFact, { type: 'service-transaction' }>;
  readonly body: string;
}

const WITHIN_MS = 60_000;
/** Between tries: twice as long each time, for as many days as it takes; less by chance, up to half. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/** So many facts may pass that are nothing to the service before it is noted that they did. */
const FACTS_PER_NOTE = 10_000;

/**
 * Sends one application service what it is to hear of: a transaction at a time, each settled in the log before it is sent, and sent until it is
 * accepted (application service API, "Pushing events"). While one is under way the next is made.
 */
export class ServiceDriver {
  readonly numbers: DriverNumbers = { accepted: 0, failed: 0, events: 0 };
  readonly #ending = new AbortController();
  readonly #reader: RoomFactReader = createRoomFactReader();
  #upTo: Position = START;
  #wake: () => void = () => {};
  #cutPause: () => void = () => {};
  #idleFacts = 0;
  /** How often something went wrong here since a transaction was accepted. */
  #failures = 0;
  readonly #moments: ServiceMoments;

  constructor(
    readonly service: AppService,
    private readonly parts: DriverParts,
  ) {
    const { typing, presence } = parts;
    this.#moments = new ServiceMoments(service, typing, presence, () => this.#wake());
  }

  /** Runs until it is ended. Never throws: what goes wrong here is told, and tried again. */
  async run(): Promise<void> {
    while (!this.#isEnded) {
      try {
        await this.#follow();
      } catch (error) {
        if (this.#isEnded) return;
        if (error instanceof Overtaken) return this.end();
        this.parts.logger.error({ err: error, service: this.service.id }, 'sending to an application service failed');
        await this.#pause(++this.#failures);
      }
    }
  }

  end(): void {
    this.#moments.stop();
    this.#ending.abort();
    this.#wake();
  }

  /** The views are past a position: up to there it is sent what there is. */
  reach(position: Position): void {
    if (position > this.#upTo) this.#upTo = position;
    this.#wake();
  }

  /** The service was heard from: what it did not take is sent again at once. */
  hear(): void {
    this.#cutPause();
  }

  get #isEnded(): boolean {
    return this.#ending.signal.aborted;
  }

  async #follow(): Promise<void> {
    const { notes, store, views, texts } = this.parts;
    const { service } = this;
    let noted: ServiceFact = await notes.begin(service.id);
    if (noted.type === 'service-transaction') {
      const body = await texts.writeAgain(service, noted.data);
      await this.#deliver({ fact: noted, body });
      noted = await this.#noteAccepted(noted);
    }
    const interest = new ServiceInterest(service, this.#reader, views);
    const log = new ServiceLog(store, interest, await notes.placeOf(noted.data.up_to));
    let reading = this.#read(log, interest);
    while (!this.#isEnded) {
      const { found, upTo } = await reading;
      const written = found && (await this.#settle(noted, found));
      if (written !== undefined) {
        noted = written.fact;
        // The next is made while this one is under way. That it follows will say that this one was accepted.
        reading = this.#read(log, interest);
        await this.#deliver(written);
        continue;
      }
      noted = await (found === undefined ? this.#noteAccepted(noted) : this.#noteIdle(noted, found));
      if (found === undefined) await this.#untilBeyond(upTo);
      reading = this.#read(log, interest);
    }
  }

  #read(
    log: ServiceLog,
    interest: ServiceInterest,
  ): Promise<{ readonly found: Found | undefined; readonly upTo: Position }> {
    const upTo = this.#upTo;
    const reading = log.next(upTo).then(async (next) => {
      const moments = this.#moments.isEmpty ? [] : await this.#moments.take(interest, log.place);
      if (next === undefined && moments.length === 0) return { found: undefined, upTo };
      return { found: await this.#write(next, moments), upTo };
    });
    // Told to whoever waits for it, later.
    reading.catch(() => {});
    return reading;
  }

  async #write(next: Collected | undefined, moments: readonly string[]): Promise<Found> {
    const { texts, clock, views } = this.parts;
    const { facts = [], last, looked = 0, passing: all = new Passing() } = next ?? {};
    all.addEphemeral(...moments);
    const madeAt = clock.now();
    const passing = all.told;
    const body = await texts.write(this.service, facts, { made_at: madeAt, passing }, this.#reader);
    // By rows that somebody threw away meanwhile nobody may have been in a room.
    await views.confirm();
    return { facts, passing, last, looked, madeAt, body };
  }

  async #untilBeyond(position: Position): Promise<void> {
    while (this.#upTo <= position && this.#moments.isEmpty && !this.#isEnded)
      await new Promise<void>((wake) => (this.#wake = wake));
  }

  /** Settles a transaction in the log; undefined where there is nothing to send. */
  async #settle(noted: ServiceFact, { facts, passing, last, madeAt, body }: Found): Promise<Written | undefined> {
    if (facts.length === 0 && passing === undefined) return undefined;
    const { notes } = this.parts;
    const streams = [...new Set(facts.map(({ stream }) => stream))];
    const at = new Map(streams.map((stream, i) => [stream, i]));
    const data: ServiceTransaction = {
      number: noted.data.number + 1,
      made_at: madeAt,
      up_to: last === undefined ? noted.data.up_to : await notes.mark({ ...last, at: last.metadata.at }),
      streams,
      events: facts.map(({ stream, revision }) => [at.get(stream)!, revision] as const),
      ...(passing === undefined ? {} : { passing }),
    };
    return { fact: await notes.write(this.service.id, noted, { type: 'service-transaction', data }), body };
  }

  /** Where much has passed that is nothing to the service, a restart need not look at it again. */
  async #noteIdle(noted: ServiceFact, { last, looked }: Found): Promise<ServiceFact> {
    this.#idleFacts += looked;
    if (last === undefined || this.#idleFacts < FACTS_PER_NOTE) return noted;
    this.#idleFacts = 0;
    return this.#noteFollowed(noted, await this.parts.notes.mark({ ...last, at: last.metadata.at }));
  }

  async #noteAccepted(noted: ServiceFact): Promise<ServiceFact> {
    return noted.type === 'service-transaction' ? this.#noteFollowed(noted, noted.data.up_to) : noted;
  }

  #noteFollowed({ type, data }: ServiceFact, upTo: ServiceTransaction['up_to']): Promise<ServiceFact> {
    const followed = { number: data.number, up_to: upTo };
    const known = { type, data } as ServiceFact; // as it was given
    return this.parts.notes.write(this.service.id, known, { type: 'service-followed', data: followed });
  }

  /** Settles once the service has accepted it, however long that takes. Throws where it is ended. */
  async #deliver({ fact: { data }, body }: Written): Promise<void> {
    const { client, logger } = this.parts;
    const { signal } = this.#ending;
    for (let failures = 1; ; failures++) {
      signal.throwIfAborted();
      const failure = await client
        .ask(this.service, {
          method: 'PUT',
          path: `/_matrix/app/v1/transactions/${data.number}`,
          legacyPath: `/transactions/${data.number}`,
          body,
          withinMs: WITHIN_MS,
          signal,
        })
        .then(({ status }) => (status >= 200 && status < 300 ? undefined : `it answered ${status}`), messageOf);
      signal.throwIfAborted();
      if (failure === undefined) {
        if (failures > 1) logger.info({ service: this.service.id }, 'an application service is there again');
        this.numbers.accepted++;
        this.#failures = 0;
        this.numbers.events += data.events.length;
        return;
      }
      this.numbers.failed++;
      const told = { service: this.service.id, transaction: data.number, failures, reason: failure };
      if (failures === 1)
        logger.warn(told, 'an application service did not take a transaction: it is sent again until it does');
      else logger.debug(told, 'an application service still does not take a transaction');
      await this.#pause(failures);
    }
  }

  async #pause(failures: number): Promise<void> {
    const { signal } = this.#ending;
    const longest = doublingPause(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    const heard = new Promise<void>((cut) => (this.#cutPause = cut));
    const pause = delay(longest * (1 - Math.random() / 2), undefined, { signal, ref: false }).catch(() => {});
    // Who asks all the time and takes nothing is not sent to without a pause.
    const shortest = delay(Math.min(longest, FIRST_PAUSE_MS), undefined, { signal, ref: false }).catch(() => {});
    await Promise.race([pause, heard]);
    await shortest;
  }
}
