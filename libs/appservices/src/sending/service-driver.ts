import type { AppService } from '#config/appservices/app-service';
import type { EventStore } from '#event-store/event-store';
import type { Presence } from '#ephemeral/presence/presence';
import type { Typing } from '#ephemeral/typing/typing';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { createRoomFactReader, type RoomFactReader } from '#rooms/projections/room-fact-reader';
import type { ServiceFact, ServiceTransaction } from '../facts/service-facts.js';
import { ServiceInterest } from '../interest/service-interest.js';
import { Passing } from '../interest/passing.js';
import {
  type DeliveryNumbers,
  type DeliveryParts,
  type RefusedTransaction,
  ServiceDelivery,
  type Written,
} from './service-delivery.js';
import { type Collected, ServiceLog } from './service-log.js';
import { ServiceMoments } from './service-moments.js';
import { Overtaken } from './service-notes.js';
import type { TransactionTexts } from '../texts/transaction-texts.js';

export interface DriverParts extends DeliveryParts {
  readonly store: Pick<EventStore, 'readAll'>;
  readonly views: Views;
  readonly texts: TransactionTexts;
  readonly typing: Typing;
  readonly presence: Presence;
}

/** What comes next, written. `last` is left out where nothing new was looked at in the log. */
interface Found extends Omit<Collected, 'last' | 'passing'> {
  /** What passes as the log has it, and with what is of the moment. */
  readonly logged: ServiceTransaction['passing'];
  readonly passing: ServiceTransaction['passing'];
  readonly last: Collected['last'] | undefined;
  readonly madeAt: number;
  readonly writtenAt: number;
  readonly body: string;
}

/** So many facts may pass that are nothing to the service before it is noted that they did. */
const FACTS_PER_NOTE = 10_000;
/** What was written longer ago, while the transaction before it was under way, is written anew: it may have gone from the log. */
const FRESH_MS = 500;

/**
 * Sends one application service what it is to hear of: a transaction at a time, each settled in the log before it is sent, and sent until it is
 * accepted (application service API, "Pushing events"). While one is under way the next is made.
 */
export class ServiceDriver {
  readonly #ending = new AbortController();
  readonly #reader: RoomFactReader = createRoomFactReader();
  #upTo: Position = START;
  #wake: () => void = () => {};
  #idleFacts = 0;
  /** How often something went wrong here since it last came further. */
  #failures = 0;
  readonly #moments: ServiceMoments;
  readonly #delivery: ServiceDelivery;

  constructor(
    readonly service: AppService,
    private readonly parts: DriverParts,
  ) {
    const { typing, presence } = parts;
    this.#delivery = new ServiceDelivery(service, parts, this.#ending.signal);
    this.#moments = new ServiceMoments(service, typing, presence, () => this.#wake());
  }

  get numbers(): DeliveryNumbers {
    return this.#delivery.numbers;
  }

  /** The transaction that the service does not take just now. */
  get refused(): RefusedTransaction | undefined {
    return this.#delivery.refused;
  }

  /**
   * Runs until it is ended. Never throws: what goes wrong here is told, and tried again. So is what another noted: which process sends is
   * for the effect to say, and two that do so at once send the same.
   */
  async run(): Promise<void> {
    while (!this.#isEnded) {
      try {
        await this.#follow();
      } catch (error) {
        if (this.#isEnded) return;
        this.#tell(error);
        await this.#delivery.pause(++this.#failures);
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

  /** The service was heard from, or what it is to be sent is noted anew: nothing waits for long. */
  hear(): void {
    this.#delivery.goOn();
  }

  #tell(error: unknown): void {
    const { logger } = this.parts;
    const service = this.service.id;
    if (error instanceof Overtaken)
      logger.warn({ service }, 'how far an application service is was noted elsewhere: it is gone on with from there');
    else logger.error({ err: error, service }, 'sending to an application service failed');
  }

  get #isEnded(): boolean {
    return this.#ending.signal.aborted;
  }

  async #follow(): Promise<void> {
    const { notes, store, views, texts } = this.parts;
    const { service } = this;
    let noted: ServiceFact = await notes.begin(service.id);
    if (noted.type === 'service-transaction') {
      const written = { fact: noted, ...(await texts.writeAgain(service, noted.data)) };
      noted = await this.#noteAccepted(await this.#delivery.deliver(written));
      this.#failures = 0;
    }
    const interest = new ServiceInterest(service, this.#reader, views);
    const log = new ServiceLog(store, interest, await notes.placeOf(noted.data.up_to));
    let reading = this.#read(log, interest);
    while (!this.#isEnded) {
      const { found, upTo } = await reading;
      const written = found && (await this.#settle(noted, found, () => this.#moments.takeAnew(interest, log.place)));
      if (written !== undefined) {
        // The next is made while this one is under way. That it follows will say that this one was accepted.
        reading = this.#read(log, interest);
        noted = await this.#delivery.deliver(written);
        this.#failures = 0;
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
      const moments = await this.#moments.take(interest, log.place);
      if (next === undefined && moments.length === 0) return { found: undefined, upTo };
      return { found: await this.#write(next, moments), upTo };
    });
    // Told to whoever waits for it, later.
    reading.catch(() => {});
    return reading;
  }

  async #write(next: Collected | undefined, moments: readonly string[]): Promise<Found> {
    const { texts, clock, views } = this.parts;
    const { facts = [], last, looked = 0, passing: { told: logged } = new Passing() } = next ?? {};
    const madeAt = clock.now();
    const passing = withMoments(logged, moments);
    const body = await texts.write(this.service, facts, { made_at: madeAt, passing }, this.#reader);
    // By rows that somebody threw away meanwhile nobody may have been in a room.
    await views.confirm();
    return { facts, logged, passing, last, looked, madeAt, writtenAt: clock.now(), body };
  }

  async #untilBeyond(position: Position): Promise<void> {
    while (this.#upTo <= position && this.#moments.isEmpty && !this.#isEnded)
      await new Promise<void>((wake) => (this.#wake = wake));
  }

  /** Settles a transaction in the log; undefined where there is nothing to send. `takeAnew`: what is of the moment, as of now. */
  async #settle(
    noted: ServiceFact,
    { facts, logged, last, body, ...found }: Found,
    takeAnew: () => Promise<readonly string[]>,
  ): Promise<Written | undefined> {
    const { notes, views, clock, texts } = this.parts;
    const now = clock.now();
    const isOld = now - found.writtenAt >= FRESH_MS;
    const passing = isOld ? withMoments(logged, await takeAnew()) : found.passing;
    if (facts.length === 0 && passing === undefined) return undefined;
    const streams = [...new Set(facts.map(({ stream }) => stream))];
    const at = new Map(streams.map((stream, i) => [stream, i]));
    const history = views.history.name;
    const data: ServiceTransaction = {
      number: noted.data.number + 1,
      ...(history === '' ? {} : { history }),
      made_at: isOld ? now : found.madeAt,
      up_to: last === undefined ? noted.data.up_to : await notes.mark({ ...last, at: last.metadata.at }),
      streams,
      events: facts.map(({ stream, revision }) => [at.get(stream)!, revision] as const),
      ...(passing === undefined ? {} : { passing }),
    };
    const fact = await notes.write(this.service.id, noted, { type: 'service-transaction', data });
    return isOld ? { fact, ...(await texts.writeAgain(this.service, data)) } : { fact, facts, body };
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
}

function withMoments(logged: ServiceTransaction['passing'], moments: readonly string[]): ServiceTransaction['passing'] {
  if (moments.length === 0) return logged;
  const before = logged?.['ephemeral'];
  const ephemeral = `${before === undefined ? '[' : `${before.slice(0, -1)},`}${moments.join()}]`;
  return { ...logged, ephemeral };
}
