import { Inject, Injectable } from '@nestjs/common';
import type { RecordedFact } from '#event-store/event-store';
import { SHUTDOWN } from '#http/shutdown';
import type { Listener } from '#projections/listener';
import { mediaStream } from '../facts/media-facts.js';
import type { MediaRef } from '../media-id.js';
import { MEDIA } from '../projections/media.projector.js';

/** Who waits for media that were reserved, until somebody uploads them. */
@Injectable()
export class MediaArrivals implements Listener {
  readonly name = 'media-arrivals';
  readonly reads = [MEDIA.name];
  /** By the stream of the medium. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(@Inject(SHUTDOWN) private readonly shutdown: AbortSignal) {}

  hear(facts: readonly RecordedFact[]): void {
    if (this.#waiting.size === 0) return;
    for (const { type, stream } of facts) {
      if (type === 'media-uploaded') for (const wake of this.#waiting.get(stream) ?? []) wake();
    }
  }

  /** Settles once the medium is there, as `isThere` says, or the time is up, or the server drains. */
  async wait(media: MediaRef, withinMs: number, isThere: () => Promise<boolean>): Promise<void> {
    const stream = mediaStream(media);
    let wake = (): void => {};
    const woken = new Promise<void>((resolve) => (wake = resolve));
    const waiting = this.#waiting.get(stream) ?? new Set();
    this.#waiting.set(stream, waiting.add(wake));
    const timer = setTimeout(wake, withinMs);
    this.shutdown.addEventListener('abort', wake, { once: true });
    try {
      // It may have come before anybody listened for it.
      if (!this.shutdown.aborted && !(await isThere())) await woken;
    } finally {
      clearTimeout(timer);
      this.shutdown.removeEventListener('abort', wake);
      waiting.delete(wake);
      if (waiting.size === 0) this.#waiting.delete(stream);
    }
  }
}
