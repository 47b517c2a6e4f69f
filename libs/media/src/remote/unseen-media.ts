import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { ByTheClock } from '#projections/by-the-clock';
import { HELD_CLOCK, type HeldClock } from '#projections/held-clock';
import { AT_LATEST_MS } from '#projections/regular-looks';
import { VIEWS, type Views } from '#projections/views';
import { CACHED_MEDIA, dayOf } from '../projections/media.projector.js';
import { CacheRoom } from './cache-room.js';

/** Lets media of other servers go once nobody has asked for them for as many days as the operator says. They are fetched again where somebody does. */
@Injectable()
export class UnseenMedia extends ByTheClock {
  readonly #log = new Logger('media');

  constructor(
    private readonly room: CacheRoom,
    @Inject(EVENT_STORE) private readonly events: Pick<EventStore, 'head'>,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(HELD_CLOCK) private readonly clock: HeldClock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'media'>,
  ) {
    super();
  }

  protected beginToLook(): void {
    if (this.config.media.cacheDays !== undefined) this.looks.begin(this.views, [CACHED_MEDIA.name], this.events);
  }

  protected async doDue(): Promise<number> {
    const { cacheDays } = this.config.media;
    if (cacheDays !== undefined) await this.room.dropBefore(dayOf(await this.clock.now()) - cacheDays + 1);
    return AT_LATEST_MS;
  }

  protected lookFailed(error: unknown): void {
    this.#log.warn({ err: error }, 'media of other servers that nobody asks for were not looked for');
  }
}
