import { Inject, Injectable } from '@nestjs/common';
import type { RecordedFact } from '#event-store/event-store';
import { SHUTDOWN } from '#http/shutdown';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import type { Listener } from '#projections/listener';
import { VIEWS, type Views } from '#projections/views';
import { mediaStream } from '../facts/media-facts.js';
import type { MediaRef } from '../media-id.js';
import { isHere, MEDIA, type MediaRow } from '../projections/media.projector.js';

/** What ends the wait for a medium that was reserved. */
const ENDS: ReadonlySet<string> = new Set(['media-uploaded', 'media-expired', 'media-deleted']);

/** Media of this server, those too that are still to be uploaded: who asks for one of them waits for it. */
@Injectable()
export class MediaArrivals implements Listener {
  readonly name = 'media-arrivals';
  readonly reads = [MEDIA.name];
  /** By the stream of the medium. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(
    @Inject(SHUTDOWN) private readonly shutdown: AbortSignal,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  hear(facts: readonly RecordedFact[]): void {
    if (this.#waiting.size === 0) return;
    for (const { type, stream } of facts)
      if (ENDS.has(type)) for (const wake of this.#waiting.get(stream) ?? []) wake();
  }

  /**
   * The row of a medium; of one that somebody may still upload once they have. Undefined where there is none, or it was not uploaded while
   * it could be. Throws M_NOT_YET_UPLOADED where it is still not there when the time is up, or the server drains.
   */
  async find(media: MediaRef, withinMs: number): Promise<MediaRow | undefined> {
    const waitMs = Math.min(withinMs, this.#openForMs(await this.#row(media)));
    if (waitMs > 0) await this.#wait(media, waitMs);
    const row = await this.#row(media);
    if (row === undefined || isHere(row) || row.deleted === true) return row;
    if (this.#openForMs(row) > 0) throw new MatrixError('M_NOT_YET_UPLOADED');
    return undefined;
  }

  /** Settles once something came of the medium, or the time is up, or the server drains. */
  async #wait(media: MediaRef, withinMs: number): Promise<void> {
    const stream = mediaStream(media);
    let wake = (): void => {};
    const woken = new Promise<void>((resolve) => (wake = resolve));
    const waiting = this.#waiting.get(stream) ?? new Set();
    this.#waiting.set(stream, waiting.add(wake));
    const timer = setTimeout(wake, withinMs);
    this.shutdown.addEventListener('abort', wake, { once: true });
    try {
      // It may have come before anybody listened for it.
      if (!this.shutdown.aborted && this.#openForMs(await this.#row(media)) > 0) await woken;
    } finally {
      clearTimeout(timer);
      this.shutdown.removeEventListener('abort', wake);
      waiting.delete(wake);
      if (waiting.size === 0) this.#waiting.delete(stream);
    }
  }

  /** For how long somebody may still upload it; 0 where it is there, or never will be. */
  #openForMs(row: MediaRow | undefined): number {
    if (row?.expires_at === undefined || isHere(row) || row.deleted === true) return 0;
    return Math.max(0, row.expires_at - this.clock.now());
  }

  #row({ server, mediaId }: MediaRef): Promise<MediaRow | undefined> {
    return MEDIA.get(this.views, [server, mediaId]);
  }
}
