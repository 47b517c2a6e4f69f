import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { AppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import { type Position, START } from '#kernel/position';
import { LOGGER, type Logger } from '#observability/logger';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';
import { FOLLOWED } from '../interest/service-interest.js';
import type { DeliveryNumbers } from './service-delivery.js';
import { type DriverParts, ServiceDriver } from './service-driver.js';
import { ServiceSending } from './service-sending.js';
import { listServices, type ServiceStatus } from './service-status.js';

/** What a service is sent by: the same service, read anew, goes on where it was. */
interface Driven {
  readonly driver: ServiceDriver;
  readonly running: Promise<void>;
}

/**
 * Sends application services what they are to hear of. Each goes its own way through the log, and notes there how far it is: the effect says
 * which process does it, and up to where the views are. So a fact has ended as soon as it is heard of.
 */
@Injectable()
export class SendToServices implements Effect, OnModuleDestroy {
  readonly name = 'application-services';
  readonly handsOver = true;
  readonly #driven = new Map<string, Driven>();
  readonly #parts: DriverParts;
  /** Numbers of drivers that are gone. */
  readonly #past: DeliveryNumbers = { accepted: 0, failed: 0, events: 0 };
  #isSending = false;
  #upTo: Position = START;

  constructor(
    private readonly services: AppServices,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) views: Views,
    @Inject(CLOCK) clock: Clock,
    @Inject(LOGGER) logger: Logger,
    sending: ServiceSending,
  ) {
    this.#parts = { store, views, clock, logger, ...sending.parts };
    services.onReplaced(() => this.#isSending && this.#drive());
    services.onHeard(({ id }) => this.#driven.get(id)?.driver.hear());
  }

  /** For metrics. */
  get numbers(): DeliveryNumbers {
    const sum = { ...this.#past };
    for (const { driver } of this.#driven.values()) addTo(sum, driver.numbers);
    return sum;
  }

  /** For metrics: when the transaction was written that each service does not take, by its id; of others undefined. */
  get refusedSince(): ReadonlyMap<string, number | undefined> {
    return new Map([...this.#driven].map(([id, { driver }]) => [id, driver.refused?.since] as const));
  }

  /** How sending to each service does. Throws as the log does. */
  async list(): Promise<ServiceStatus[]> {
    const all = await listServices(this.store, this.#parts.notes);
    return all.map((status) => {
      const refused = this.#driven.get(status.id)?.driver.refused;
      if (refused === undefined || refused.id !== status.underWay?.id) return status;
      return { ...status, refused: { tries: refused.tries, reason: refused.reason } };
    });
  }

  /** A service is not sent the transaction any more that is under way, by its id. Throws NotUnderWay, and as the log does. */
  async skip(id: string, transactionId: string): Promise<void> {
    const { events } = await this.#parts.notes.skip(id, transactionId);
    const told = { service: id, transaction: transactionId, events: events.length };
    this.#parts.logger.warn(told, 'an operator passed over a transaction to an application service');
    this.#driven.get(id)?.driver.hear();
  }

  async begin(after: Position): Promise<void> {
    this.#isSending = true;
    this.#upTo = after;
    this.#drive();
  }

  end(): void {
    this.#isSending = false;
    for (const id of this.#driven.keys()) void this.#stop(id);
  }

  onModuleDestroy(): void {
    this.end();
  }

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return FOLLOWED.has(type) && this.services.all.length > 0 ? stream : undefined;
  }

  async run({ position }: RecordedFact): Promise<boolean> {
    this.#upTo = position;
    for (const { driver } of this.#driven.values()) driver.reach(position);
    // That it was heard of need not be noted.
    return false;
  }

  /** Drives the services that there are now, and no others. */
  #drive(): void {
    for (const [id, { driver }] of this.#driven) {
      if (!this.services.all.includes(driver.service)) this.#restart(id, this.services.find(id));
    }
    for (const service of this.services.all) {
      if (!this.#driven.has(service.id) && service.url !== undefined) this.#restart(service.id, service);
    }
  }

  /** What was sent to it ends before the same service is sent to again. */
  #restart(id: string, service: AppService | undefined): void {
    const stopped = this.#stop(id);
    if (service?.url === undefined) return;
    const driver = new ServiceDriver(service, this.#parts);
    driver.reach(this.#upTo);
    this.#driven.set(id, { driver, running: stopped.then(() => driver.run()) });
  }

  async #stop(id: string): Promise<void> {
    const driven = this.#driven.get(id);
    if (driven === undefined) return;
    this.#driven.delete(id);
    driven.driver.end();
    await driven.running;
    addTo(this.#past, driven.driver.numbers);
  }
}

function addTo(sum: DeliveryNumbers, numbers: DeliveryNumbers): void {
  sum.accepted += numbers.accepted;
  sum.failed += numbers.failed;
  sum.events += numbers.events;
}
