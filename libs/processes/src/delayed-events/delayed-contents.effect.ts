import { Inject, Injectable } from '@nestjs/common';
import { CONTENT_ERASED, type DelayedEventFact, type DelayEnded } from '#calls/facts/delayed-event-facts';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import type { Effect } from '#projections/effects/effect';

const SCHEDULED: DelayedEventFact['type'] = 'event-delayed';
const ENDED: DelayedEventFact['type'] = 'delay-ended';

/**
 * Erases the content of what was sent later from the facts that scheduled it: from then on the room has it, where it may be redacted, and
 * that of what was never sent is in the fact that says so.
 */
@Injectable()
export class DelayedContents implements Effect {
  readonly name = 'delayed-contents';

  constructor(@Inject(EVENT_STORE) private readonly store: EventStore) {}

  keyOf(fact: RecordedFact): string | undefined {
    return fact.type === ENDED && !isSaidAgain(fact) ? fact.stream : undefined;
  }

  async run({ stream, data, revision: end }: RecordedFact): Promise<boolean> {
    const { delay_id: id } = JSON.parse(data) as DelayEnded;
    const revisions: number[] = [];
    for await (const fact of this.store.readStream(stream)) {
      if (fact.revision >= end) break;
      const { erasable } = fact.metadata;
      if (fact.type !== SCHEDULED || erasable === undefined || fact.data.slice(erasable) === CONTENT_ERASED) continue;
      if ((JSON.parse(fact.data) as DelayEnded).delay_id === id) revisions.push(fact.revision);
    }
    for (const revision of revisions) await this.store.erase(stream, revision, CONTENT_ERASED);
    return revisions.length > 0;
  }
}
