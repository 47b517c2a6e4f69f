import { Inject, Injectable, Logger } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import { CLOCK, type Clock } from '#kernel/clock';
import { decideSeen } from './decide/media.js';
import { mediaStream } from './facts/media-facts.js';
import type { MediaRef } from './media-id.js';
import { MediaLog } from './media-log.js';
import { dayOf, type MediaHere } from './projections/media.projector.js';

/** On which day somebody asked for each medium last, of which the first time each day is a fact: so caches give way by it on every process. */
@Injectable()
export class SeenMedia {
  readonly #log = new Logger('media');
  /** What is being noted, by the stream of the medium. */
  readonly #underWay = new Set<string>();

  constructor(
    private readonly log: MediaLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Nobody waits for it: what is not noted now is at the next time. */
  note(media: MediaRef, { seen = 0 }: Pick<MediaHere, 'seen'>): void {
    const today = dayOf(this.clock.now());
    const stream = mediaStream(media);
    if (dayOf(seen) >= today || this.#underWay.has(stream)) return;
    this.#underWay.add(stream);
    void this.log
      .change(media, (state) => decideSeen(state, today), BY_SERVER)
      .catch((error: unknown) => this.#log.warn({ err: error }, 'when a medium was asked for was not noted'))
      .finally(() => this.#underWay.delete(stream));
  }
}
