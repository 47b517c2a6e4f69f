import { once } from 'node:events';
import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import { ProjectionOperations } from '#projections/projection-operations';
import { ByTheClock } from '#projections/by-the-clock';
import { AGAIN_MS, AT_LATEST_MS } from '#projections/regular-looks';
import { VIEWS, type Views } from '#projections/views';
import { ViewsNotRenewed } from '#read-models/read-model-errors';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';
import { LAST_ERASURE } from './erasures.projector.js';
import { findLastErasure, findLastRenewal, isOutOfRows, renewErased, type RenewalOfErased } from './renew-erased.js';

/**
 * Takes what was erased out of the files of the views, where the store has such files: some time after it was erased, by the clock, and where
 * an operator asks for it. What is due, and when that was done last, is in the views themselves.
 */
@Injectable()
export class RenewedViews extends ByTheClock {
  readonly #log = new Logger('views');
  readonly #stopped = new AbortController();
  /** It has been told that they could not be renewed. */
  #isTold = false;

  constructor(
    @Inject(READ_MODEL_STORE) private readonly readModels: ReadModelStore,
    @Inject(EVENT_STORE) private readonly events: Pick<EventStore, 'head'>,
    @Inject(VIEWS) readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'renewViewsEveryMs'>,
    @Optional() readonly projections?: ProjectionOperations,
  ) {
    super();
  }

  protected beginToLook(): void {
    const isToLook = this.config.renewViewsEveryMs !== undefined && this.readModels.renew !== undefined;
    if (isToLook) this.looks.begin(this.views, [LAST_ERASURE.name], this.events);
  }

  /** A renewal that is under way ends with the store. */
  override onModuleDestroy(): Promise<void> {
    this.#stopped.abort();
    return super.onModuleDestroy();
  }

  /** Renews the views now (`renewErased`). */
  async renew(): Promise<RenewalOfErased> {
    const { readModels, events, views, clock, projections } = this;
    const renewal = await renewErased({ readModels, events, views, clock, projections });
    const became =
      renewal.behind.length === 0
        ? 'what was erased is nowhere in their file any more'
        : 'what was erased is there until projections that stand before it have come by it, and they are renewed again';
    this.#log.log(renewal, `the views were renewed: ${became}`);
    this.#isTold = false;
    return renewal;
  }

  protected async doDue(): Promise<number> {
    const { renewViewsEveryMs: every = Infinity } = this.config;
    const erased = await findLastErasure(this.views);
    const last = await findLastRenewal(this.readModels);
    if (erased === undefined || (last?.upTo !== undefined && erased <= last.upTo)) return AT_LATEST_MS;
    // How long ago one was that the clock says is yet to come, nobody knows: it was put back since.
    const sinceMs = this.clock.now() - (last?.at ?? -Infinity);
    if (sinceMs >= 0 && sinceMs < every) return every - sinceMs;
    if (!(await isOutOfRows(this, erased))) return AGAIN_MS;
    const { signal } = this.#stopped;
    if (signal.aborted) return AT_LATEST_MS;
    const renewal = this.renew();
    renewal.catch(() => {});
    await Promise.race([renewal, once(signal, 'abort')]);
    return AT_LATEST_MS;
  }

  /** Once, until they are renewed: what keeps them from it may go on for days. */
  protected lookFailed(error: unknown): void {
    if (this.#isTold || this.#stopped.signal.aborted) return;
    this.#isTold = true;
    const why = error instanceof ViewsNotRenewed ? { reason: error.message } : { err: error };
    this.#log.warn(why, 'the views could not be renewed: what was erased stays in their file until they are');
  }
}
