import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { erasableText } from '#event-store/erasable-text';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { foldContactFact, keyOfAddress, type KnownBook, NO_BOOK } from './decide/known-book.js';
import { type ContactFact, contactsStream, ERASABLE, readContactFact } from './facts/contact-facts.js';
import { CONTACTS } from './projections/contacts.projector.js';

/** Books of thousands of contacts take megabytes. */
const CAPACITY = 50;

/** The write side of address books: a stream for each user, which is kept short. */
@Injectable()
export class AddressBooks {
  readonly #streams: Aggregates<KnownBook>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed'>,
  ) {
    const fold = { initialState: NO_BOOK, evolve: foldContactFact };
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...fold, lastOfEach: nameOfFact });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** A user's book, and the position that it is of. */
  look(userId: UserId): Promise<{ readonly state: KnownBook; readonly position: Position }> {
    return this.#streams.load(contactsStream(userId));
  }

  /** Appends what `decide` answers, settles once the views show it, and answers whether it was anything. Throws what it throws. */
  async change(userId: UserId, cause: Cause, decide: (book: KnownBook) => readonly ContactFact[]): Promise<boolean> {
    const { position, facts } = await this.#streams.execute(
      contactsStream(userId),
      (book) => decide(book).map(draftOf),
      cause,
    );
    if (facts.length > 0) await this.views.whenProcessed(position, [CONTACTS.name]);
    return facts.length > 0;
  }

  /** Empties a book; what was in it goes from the log. Answers whether there was anything. */
  end(userId: UserId, cause: Cause): Promise<boolean> {
    const whenShown = (position: Position): Promise<void> => this.views.whenProcessed(position, [CONTACTS.name]);
    return this.#streams.end(contactsStream(userId), draftOf({ type: 'contacts-ended', data: {} }), cause, whenShown);
  }
}

function draftOf({ type, data }: ContactFact): FactDraft {
  const erasable = ERASABLE[type];
  const text = erasable === undefined ? { data: JSON.stringify(data) } : erasableText({ ...data }, erasable.key);
  return { id: randomUUID(), type, ...text };
}

/** Of which facts the last one counts. */
function nameOfFact(fact: Pick<RecordedFact, 'type' | 'data'>): string {
  const { type, data } = readContactFact(fact);
  if (type === 'contacts-ended') return 'all';
  if (type === 'address-shared') return `shared ${keyOfAddress(data.of)}`;
  return `${type === 'contact-matched' ? 'matched' : 'contact'} ${data.contact_id}`;
}
