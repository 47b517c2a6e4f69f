import { Inject, Injectable } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Aggregates, type Cause, type Decide } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { CacheNumbers } from '#kernel/lru-cache';
import { awaitShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import {
  type DecidedContent,
  decideQuarantine,
  decideRelease,
  evolveContent,
  NOTHING_DECIDED,
} from '../decide/content.js';
import { contentStream } from '../facts/content-facts.js';
import { QUARANTINED } from '../projections/quarantine.projector.js';
import type { ContentHash } from '../store/media-store.js';

const CAPACITY = 100;

/** The write side of what is decided of content. */
@Injectable()
export class ContentLog {
  readonly #streams: Aggregates<DecidedContent>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    const fold = { initialState: NOTHING_DECIDED, evolve: evolveContent };
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...fold });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** Appends what `decide` answers, and settles once the views show it. Answers whether it was anything. */
  async change(hash: ContentHash, decide: Decide<DecidedContent>, cause: Cause): Promise<boolean> {
    const { facts, position } = await this.#streams.execute(contentStream(hash), decide, cause);
    if (facts.length > 0) await awaitShown(this.views, QUARANTINED.name, position, 'the quarantine');
    return facts.length > 0;
  }
}

/**
 * Has nobody given some content any more, under whatever id, nor anybody bring it again: it is kept, for who has to look into it. Content
 * that is not here can be put there too. Answers whether it was not there already.
 */
export class QuarantineContent {
  constructor(
    readonly cause: Cause,
    readonly hash: ContentHash,
    readonly reason?: string,
  ) {}
}

@CommandHandler(QuarantineContent)
export class QuarantineContentHandler implements ICommandHandler<QuarantineContent> {
  constructor(private readonly log: ContentLog) {}

  execute({ cause, hash, reason }: QuarantineContent): Promise<boolean> {
    return this.log.change(hash, (state) => decideQuarantine(state, reason), cause);
  }
}

/** Has content given out again. Answers whether it was in quarantine. */
export class ReleaseContent {
  constructor(
    readonly cause: Cause,
    readonly hash: ContentHash,
  ) {}
}

@CommandHandler(ReleaseContent)
export class ReleaseContentHandler implements ICommandHandler<ReleaseContent> {
  constructor(private readonly log: ContentLog) {}

  execute({ cause, hash }: ReleaseContent): Promise<boolean> {
    return this.log.change(hash, decideRelease, cause);
  }
}
