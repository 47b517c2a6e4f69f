import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { CacheNumbers } from '#kernel/lru-cache';
import { awaitShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import { evolveMedia, type Media, NO_MEDIA } from './decide/media.js';
import { kindOfMediaFact, mediaStream } from './facts/media-facts.js';
import type { MediaRef } from './media-id.js';
import { MEDIA } from './projections/media.projector.js';

const CAPACITY = 2_000;

/** The write side of media: decides upon the newest state of a medium's stream and appends. */
@Injectable()
export class MediaLog {
  readonly #streams: Aggregates<Media>;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    const fold = { initialState: NO_MEDIA, evolve: evolveMedia };
    this.#streams = new Aggregates({
      store,
      clock,
      capacity: CAPACITY,
      lastOfEach: ({ type }) => kindOfMediaFact(type),
      ...fold,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** The medium as the log has it. */
  async load(media: MediaRef): Promise<Media> {
    return (await this.#streams.load(mediaStream(media))).state;
  }

  /**
   * Appends what `decide` answers, and settles once the views show it: who refers to content must be seen to. Answers whether it was
   * anything. Throws what `decide` throws, and ViewsUnavailable where it is in the log and the views do not get there.
   */
  async change(
    media: MediaRef,
    decide: (state: Media, exists: boolean) => readonly FactDraft[],
    cause: Cause,
  ): Promise<boolean> {
    const { facts, position } = await this.#streams.execute(mediaStream(media), decide, cause);
    if (facts.length === 0) return false;
    await awaitShown(this.views, MEDIA.name, position, 'the medium');
    return true;
  }

  /** Lets what was said of a medium go from the log, in its facts before a revision. Answers whether there was any. */
  async erase(stream: string, before: number, tailLeft: (type: string) => string | undefined): Promise<boolean> {
    let isDone = false;
    for await (const { type, revision, metadata } of this.store.readStream(stream)) {
      if (revision >= before) break;
      const tail = tailLeft(type);
      if (tail === undefined || metadata.erasable === undefined || metadata.erased !== undefined) continue;
      await this.store.erase(stream, revision, tail);
      isDone = true;
    }
    return isDone;
  }
}
