import type { EventStore, RecordedFact } from '#event-store/event-store';
import { type Position, START } from '#kernel/position';
import { Turn } from '#projections/turn';
import type { ServiceInterest } from '../interest/service-interest.js';
import { Passing } from '../interest/passing.js';

/** What of the log a transaction is made of. */
export interface Collected {
  readonly facts: readonly RecordedFact[];
  readonly passing: Passing;
  /** All up to here was looked at, and handed on with it; undefined where some of what was found comes only next. */
  readonly last: RecordedFact | undefined;
  readonly looked: number;
}

/** So many events are in one transaction, about: all that the last fact tells is in it too. */
const MOST_EVENTS = 100;
/** As far as their facts tell, likewise, in UTF-16 units: what others take at once has a limit. A fact tells devices 16 MB at most. */
const MOST_TEXT = 1_000_000;
/** So much of what passes. It is noted in the log, and sent under several keys. */
const MOST_PASSING = 200_000;
/** So many facts are read of the log at once, and remembered until they are looked at. */
const READ_AT_ONCE = 256;
/** After so many it is told that they were looked at, whatever was found: how far a service is can be noted, and who sends can be ended. */
const MOST_LOOKED_AT = 10_000;

/** What an application service is to be sent, in the order of the log: read on behind a place, and no further than the views are. */
export class ServiceLog {
  #read: RecordedFact[] = [];
  /** What was found and not handed on yet. */
  #found: RecordedFact[] = [];
  #passing = new Passing();
  /** The last that was looked at since something was handed on. */
  #looked: RecordedFact | undefined;
  #lookedAt = 0;
  #foundEvents = 0;
  #foundText = 0;
  /** What was read of the log. */
  #position: Position;
  #place: Position;

  constructor(
    private readonly store: Pick<EventStore, 'readAll'>,
    private readonly interest: ServiceInterest,
    after: Position = START,
  ) {
    this.#position = after;
    this.#place = after;
  }

  /** Up to where the log was looked at. */
  get place(): Position {
    return this.#place;
  }

  /**
   * The next facts that the service is to be sent, about `MOST_EVENTS` as it counts them, of the next `MOST_LOOKED_AT`, and no more than there are up to a
   * position; undefined where nothing was looked at. Other work has its turn meanwhile. Throws as the log and the views do; then another
   * one has to begin where something was noted last.
   */
  async next(upTo: Position): Promise<Collected | undefined> {
    const turn = new Turn();
    while (this.#hasSpace) {
      if (turn.isOver()) await turn.pass();
      const fact = this.#read[0] ?? (await this.#readOn(upTo));
      if (fact === undefined || fact.position > upTo) break;
      if (await this.interest.look(fact, this.#passing)) this.#take(fact);
      this.#read.shift();
      this.#looked = fact;
      this.#place = fact.position;
      this.#lookedAt++;
    }
    // What is left of it after a crash is told anew, for nothing is noted of these facts before all of it was sent.
    if (this.#passing.text > MOST_PASSING)
      return { facts: [], passing: this.#passing.takeSome(MOST_PASSING), last: undefined, looked: 0 };
    if (this.#looked === undefined) return undefined;
    const next = { facts: this.#found, passing: this.#passing, last: this.#looked, looked: this.#lookedAt };
    this.#found = [];
    this.#passing = new Passing();
    this.#foundEvents = 0;
    this.#foundText = 0;
    this.#looked = undefined;
    this.#lookedAt = 0;
    return next;
  }

  get #hasSpace(): boolean {
    if (this.#lookedAt >= MOST_LOOKED_AT || this.#passing.text > MOST_PASSING) return false;
    return this.#foundEvents + this.#passing.size < MOST_EVENTS && this.#foundText < MOST_TEXT;
  }

  #take(fact: RecordedFact): void {
    this.#found.push(fact);
    const { events, text } = this.interest.sizeOf(fact);
    this.#foundEvents += events;
    this.#foundText += text;
  }

  async #readOn(upTo: Position): Promise<RecordedFact | undefined> {
    if (this.#position >= upTo) return undefined;
    for await (const facts of this.store.readAll({ after: this.#position, batchSize: READ_AT_ONCE })) {
      this.#read = [...facts];
      this.#position = facts.at(-1)?.position ?? this.#position;
      return this.#read[0];
    }
    return undefined;
  }
}
