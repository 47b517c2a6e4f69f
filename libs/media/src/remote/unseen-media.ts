import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import { SharedRuns } from '#kernel/shared-runs';
import { whenShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import { CACHED_MEDIA, dayOf } from '../projections/media.projector.js';
import { CacheRoom } from './cache-room.js';

const LOOK_MS = 60 * 60_000;

/** Lets media of other servers go once nobody has asked for them for as many days as the operator says. They are fetched again where somebody does. */
@Injectable()
export class UnseenMedia implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #log = new Logger('media');
  readonly #looks = new SharedRuns(() => this.#look());
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(
    private readonly room: CacheRoom,
    @Inject(EVENT_STORE) private readonly events: Pick<EventStore, 'head'>,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'media'>,
  ) {}

  /** The projections begin after this, and there is nothing to look at before; where they end before they have, nobody looks. */
  onApplicationBootstrap(): void {
    if (this.config.media.cacheDays === undefined) return;
    whenShown(this.views, [CACHED_MEDIA.name], this.events).then(
      () => void this.#looks.run(),
      () => {},
    );
  }

  async onModuleDestroy(): Promise<void> {
    this.#isStopped = true;
    await this.#looks.run();
  }

  /** Throws nothing: what cannot be done now is done at the next look. */
  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    const { cacheDays } = this.config.media;
    if (cacheDays === undefined || this.#isStopped) return;
    try {
      await this.room.dropBefore(dayOf(this.clock.now()) - cacheDays + 1);
    } catch (error) {
      this.#log.warn({ err: error }, 'media of other servers that nobody asks for were not looked for');
    }
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#looks.run(), LOOK_MS).unref();
  }
}
