import { Inject, Injectable } from '@nestjs/common';
import { ERASABLE, readContactFact, userIdOfContacts } from '#contacts/facts/contact-facts';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import type { Effect } from '#projections/effects/effect';

const OVERTAKING: ReadonlySet<string> = new Set(['contact-put', 'contact-removed', 'contact-matched']);

/** Erases from the log what an address book said of somebody, and whom a server knew by it, once it says something else or nothing any more. */
@Injectable()
export class OvertakenContacts implements Effect {
  readonly name = 'overtaken-contacts';

  constructor(@Inject(EVENT_STORE) private readonly store: EventStore) {}

  keyOf(fact: RecordedFact): string | undefined {
    if (!OVERTAKING.has(fact.type) || isSaidAgain(fact)) return undefined;
    return overtakenBy(fact).length > 0 ? userIdOfContacts(fact.stream) : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    let isDone = false;
    for (const revision of overtakenBy(fact)) isDone = (await this.#erase(fact.stream, revision)) || isDone;
    return isDone;
  }

  /** What went with the beginning of the stream is not there any more. */
  async #erase(stream: string, revision: number): Promise<boolean> {
    for await (const fact of this.store.readStream(stream, { from: revision, limit: 1 })) {
      const { type, metadata } = fact;
      const erasable = ERASABLE[type];
      const isThere = fact.revision === revision && erasable !== undefined && metadata.erasable !== undefined;
      if (!isThere || metadata.erased !== undefined) return false;
      await this.store.erase(stream, revision, erasable.left);
      return true;
    }
    return false;
  }
}

function overtakenBy(fact: RecordedFact): readonly number[] {
  const { data } = readContactFact(fact);
  const overtakes = 'overtakes' in data ? data.overtakes : undefined;
  return typeof overtakes === 'number' ? [overtakes] : (overtakes ?? []);
}
