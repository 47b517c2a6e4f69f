import { Inject, Injectable } from '@nestjs/common';
import { CONTENT_ERASED, type DelayedEventFact, type DelayEnded, delayedStream, eventErased } from '#calls/facts/delayed-event-facts'; // prettier-ignore
import { listOverDelays, listUsersOfOver } from '#calls/queries/over-delays';
import { DELAYS_OF_USERS } from '#calls/projections/delayed-events.projector';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import { messageOf } from '#kernel/message-of';
import { LOGGER, type Logger } from '#observability/logger';
import type { Effect } from '#projections/effects/effect';
import { HELD_CLOCK, type HeldClock } from '#projections/held-clock';
import { VIEWS, type Views } from '#projections/views';

const SCHEDULED: DelayedEventFact['type'] = 'event-delayed';
const ENDED: DelayedEventFact['type'] = 'delay-ended';
const DAY_MS = 24 * 60 * 60_000;

/**
 * Erases the content of what was sent later from the facts that scheduled it: from then on the room has it, where it may be redacted, and
 * that of what was never sent is in the fact that says so. From that it goes once nobody is told of it any more, which is looked for each day.
 */
@Injectable()
export class DelayedContents implements Effect {
  readonly name = 'delayed-contents';
  #timer: NodeJS.Timeout | undefined;
  #isHere = false;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(HELD_CLOCK) private readonly clock: HeldClock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async begin(): Promise<void> {
    this.#isHere = true;
    void this.#lookEachDay(Infinity);
  }

  end(): void {
    this.#isHere = false;
    clearTimeout(this.#timer);
  }

  keyOf(fact: RecordedFact): string | undefined {
    return fact.type === ENDED && !isSaidAgain(fact) ? fact.stream : undefined;
  }

  run({ stream }: RecordedFact): Promise<boolean> {
    return this.#erase(stream);
  }

  async #lookEachDay(withinMs: number): Promise<void> {
    let nextMs = withinMs;
    try {
      // Of what was over two days before it was looked at already.
      if (await this.#look(withinMs)) nextMs = 2 * DAY_MS;
    } catch (error) {
      this.logger.warn(
        { context: this.name },
        `Contents of what was not sent are looked for later: ${messageOf(error)}`,
      );
    }
    if (this.#isHere) this.#timer = setTimeout(() => void this.#lookEachDay(nextMs), DAY_MS).unref();
  }

  /** Answers whether all was looked at: nothing is over while the clock may have jumped ahead. */
  async #look(withinMs: number): Promise<boolean> {
    if ((await DELAYS_OF_USERS.scan(this.views, { limit: 1 })).length === 0) return true;
    const now = await this.clock.now();
    const users = await listUsersOfOver(this.views, now, withinMs);
    for (const userId of users) if (this.#isHere) await this.#erase(delayedStream(userId));
    return now > 0;
  }

  async #erase(stream: string): Promise<boolean> {
    /** Facts that have a content, and what takes its place. */
    const contents: { readonly id: string; readonly revision: number; readonly type: string; readonly tail: string }[] =
      [];
    const ended = new Map<string, DelayEnded>();
    for await (const { type, data, revision, metadata } of this.store.readStream(stream)) {
      if (type !== SCHEDULED && type !== ENDED) continue;
      const said = JSON.parse(data) as DelayEnded; // or EventDelayed, which has an id too
      const { delay_id: id, event } = said;
      if (type === ENDED) ended.set(id, said);
      const tail = type === ENDED ? eventErased(event) : CONTENT_ERASED;
      const hasContent = type === SCHEDULED || event.content !== undefined;
      const { erasable } = metadata;
      if (erasable === undefined || !hasContent || data.slice(erasable) === tail) continue;
      contents.push({ id, revision, type, tail });
    }
    const over = listOverDelays(ended, await this.clock.now());
    const gone = contents.filter(({ id, type }) => (type === SCHEDULED ? ended.has(id) : over.has(id)));
    for (const { revision, tail } of gone) await this.store.erase(stream, revision, tail);
    return gone.length > 0;
  }
}
