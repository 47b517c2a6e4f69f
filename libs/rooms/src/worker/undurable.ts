import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { KnownEvent } from '../receive/known-room.js';
import type { LiveRoom } from './live-room.js';

/** An event that was decided or judged and is in no log yet. */
export interface UndurableEvent extends KnownEvent {
  /** The state after it; undefined of an outlier. */
  readonly after: StateTrie | undefined;
  /** Another server made it. */
  readonly isForeign: boolean;
}

/**
 * What the tasks of a batch have decided, on top of which the next one decides, and which is in no log yet: all of it counts once
 * the batch is there, or none.
 */
export class Undurable {
  /** Transactions, by their names (`transactionName`). */
  readonly transactions = new Map<string, EventId>();
  readonly events = new Map<EventId, UndurableEvent>();
  /** What remains of events that were redacted, wherever they are. */
  readonly redacted = new Map<EventId, RoomEvent>();
  /** The states before events that another server told, of which all parts are decided. */
  readonly learnt = new Map<EventId, StateTrie>();
  readonly #redactions = new Map<EventId, RoomEvent[]>();
  readonly #holes = new Set<EventId>();

  /** `before`: what the tasks before this one decided. */
  constructor(private readonly before?: Undurable) {}

  findTransaction(name: string): EventId | undefined {
    return this.transactions.get(name) ?? this.before?.findTransaction(name);
  }

  /** As it stands now. */
  find(eventId: EventId): UndurableEvent | undefined {
    const one = this.events.get(eventId) ?? this.before?.find(eventId);
    const remains = this.redacted.get(eventId);
    return one === undefined || remains === undefined ? one : { ...one, event: remains, isRedacted: true };
  }

  /** An event decided here or, where all that happened here to one of the log is that it was redacted, what remains of that. */
  findEvent(eventId: EventId): RoomEvent | undefined {
    return this.findRemains(eventId) ?? this.find(eventId)?.event;
  }

  /** What remains of an event that was redacted here. */
  findRemains(eventId: EventId): RoomEvent | undefined {
    return this.redacted.get(eventId) ?? this.before?.findRemains(eventId);
  }

  findLearntState(eventId: EventId): StateTrie | undefined {
    return this.learnt.get(eventId) ?? this.before?.findLearntState(eventId);
  }

  /** The accepted redactions that name an event, oldest first. */
  redactionsOf(eventId: EventId): readonly RoomEvent[] {
    return [...(this.before?.redactionsOf(eventId) ?? []), ...(this.#redactions.get(eventId) ?? [])];
  }

  /** Whether an accepted event stands on this one, whose place was not known then. */
  isHole(eventId: EventId): boolean {
    return this.#holes.has(eventId) || this.before?.isHole(eventId) === true;
  }

  /** Takes an event that has its outcome now. */
  note(one: UndurableEvent, missingParents: readonly EventId[] = []): void {
    const { event, outcome } = one;
    this.events.set(event.eventId, one);
    for (const eventId of missingParents) this.#holes.add(eventId);
    if (outcome === 'accepted' && event.redacts !== undefined) this.#addRedaction(event.redacts, event);
  }

  /** Takes all that another one has on top of this. */
  absorb(next: Undurable): void {
    for (const [name, eventId] of next.transactions) this.transactions.set(name, eventId);
    for (const [eventId, one] of next.events) this.events.set(eventId, one);
    for (const [eventId, remains] of next.redacted) this.redacted.set(eventId, remains);
    for (const [eventId, state] of next.learnt) this.learnt.set(eventId, state);
    for (const eventId of next.#holes) this.#holes.add(eventId);
    for (const [target, redactions] of next.#redactions) {
      for (const redaction of redactions) this.#addRedaction(target, redaction);
    }
  }

  #addRedaction(target: EventId, redaction: RoomEvent): void {
    const known = this.#redactions.get(target);
    if (known === undefined) this.#redactions.set(target, [redaction]);
    else known.push(redaction);
  }
}

/** Keeps in memory what a room has just appended, as far as the next event may ask for it. */
export function remember({ known, states }: LiveRoom, undurable: Undurable): void {
  for (const eventId of undurable.redacted.keys()) known.delete(eventId);
  for (const [eventId, { after, isForeign }] of undurable.events) {
    if (after !== undefined) states.set(eventId, after);
    if (isForeign) known.set(eventId, knownEventOf(undurable.find(eventId)!));
  }
}

function knownEventOf({ after: _after, isForeign: _isForeign, ...known }: UndurableEvent): KnownEvent {
  return known;
}
