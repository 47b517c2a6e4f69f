import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { resolveState } from '#protocol/state-resolution/resolve-state';
import { StateTrie } from '#protocol/state-trie/state-trie';
import { stateAfterEvent } from '../decide/room-state.js';
import { extremitiesAfter } from '../facts/told-extremities.js';
import { standsOn } from '../receive/extremities-beside.js';
import { endsNothing } from '../receive/known-room.js';
import type { JoinFilled, StateLearnt, StateTaken } from '../facts/join-facts.js';
import type { OutlierStored, PduAccepted, PduWithState, StateBase } from '../facts/room-facts.js';
import {
  currentProblems,
  extremityProblems,
  isAnew,
  learntProblems,
  outcomeProblems,
  stateProblems,
  takenProblems,
} from './graph-problems.js';
import { ToldStates } from './told-states.js';
import { VerifiedEvents } from './verified-events.js';
import { OUTCOMES, type PlacedFact } from './placed-fact.js';
import { VerifiedLifts } from './verified-lifts.js';
import { VerifiedPartial } from './verified-partial.js';
import { type Redacted, VerifiedRedactions } from './verified-redactions.js';

/**
 * So many events back, in a room that nobody else has written to, a state is still known: there every event stands on the
 * last one. From the first event of another server on all of them are.
 */
const KEPT = 1_000;

const KEPT_TYPES: ReadonlySet<string | undefined> = new Set(['m.room.power_levels', 'm.room.join_rules']);

/**
 * The graph of a room, computed once more from its PDUs alone: the state before and after each event, resolved where it has
 * several parents, the forward extremities and the current state. Tells where the facts say something else.
 *
 * A second opinion: it believes nothing of what is written beside the PDUs before it has come to the same, but for the states
 * that other servers told, which no PDU proves. With those who write facts it shares the rules alone (authorisation, resolution,
 * `refuseRedactionEffect`, `standsOn`, `endsNothing`), for it is no use to read a rule twice: that each is right is held against slow
 * references by tests. Nothing that decides, remembers or says what is written is used here.
 */
export class VerifiedGraph {
  readonly redactions: VerifiedRedactions;
  readonly #lifts: VerifiedLifts;
  readonly #events: VerifiedEvents;
  /** The state after each event, oldest first. */
  readonly #after = new Map<EventId, StateTrie>();
  /** What each of the events in `#after` took the place of, where nobody else has written to the room. */
  readonly #replaced = new Map<EventId, EventId>();
  /** Those of them that ended nothing. */
  readonly #endedNothing = new Set<EventId>();
  readonly #told = new ToldStates();
  #extremities = new Map<EventId, StateTrie>();
  #current = StateTrie.empty;
  #isShared = false;
  /** undefined where the state is whole. */
  #partial: VerifiedPartial | undefined;

  constructor(
    private readonly version: RoomVersion,
    /** Whether the signature by which a restricted join is authorised does not hold. */
    isForged: (event: RoomEvent) => boolean = () => false,
  ) {
    this.#events = new VerifiedEvents(version, isForged);
    this.redactions = new VerifiedRedactions(version, this.#events);
    this.#lifts = new VerifiedLifts(this.#events);
  }

  /** How many events are held. */
  get held(): number {
    return this.#events.size;
  }

  /** As of `VerifiedEvents`. */
  noteErased(eventId: EventId): void {
    this.#events.noteErased(eventId);
  }

  /** Takes what remains of an event that was redacted, by which redaction or none; answers what is wrong with that it was. */
  checkRedacted(remains: RoomEvent, redactedBy: EventId | undefined): string[] {
    this.#events.noteRedacted(remains);
    return redactedBy === undefined ? [] : this.redactions.settle(remains, redactedBy);
  }

  /** What is wrong with that members are told of an event that was soft-failed. */
  checkLifted(eventId: EventId): string[] {
    return this.#lifts.check(eventId, this.#current);
  }

  /** Takes an event whose place is not known; answers what is wrong with what its fact says. */
  checkOutlier(event: RoomEvent, body: OutlierStored): string[] {
    this.#isShared = true;
    this.#events.take(event);
    this.redactions.take(event, false);
    const isRejected = body.reason !== undefined;
    const isTold = this.#events.restsOnErased(event);
    const refusal = isTold ? body.reason : this.#events.refusalByAuthEvents(event);
    if (refusal !== undefined) this.#events.noteRejection(event.eventId, 'auth-events');
    return isTold ? [] : outcomeProblems(event, refusal, isRejected);
  }

  /** Takes a part of a state that another server told; answers what is wrong with it. */
  checkLearnt(learnt: StateLearnt): string[] {
    const { event_id: eventId, state } = learnt;
    this.#isShared = true;
    const problems = state.flatMap((entry) => learntProblems(entry, this.#events));
    return [...problems.map((problem) => `the state before ${eventId} ${problem}`), ...this.#told.take(learnt)];
  }

  /** Takes an event of the state that a join brought; answers what is wrong with it. At the join event all together are seen to be it. */
  checkTaken({ eventId, type, stateKey }: RoomEvent, { state }: StateTaken): string[] {
    const entry = [type, stateKey ?? '', eventId] as const;
    const problems = takenProblems(entry, state, this.#events);
    if (this.#partial !== undefined) return [...problems, ...this.#partial.take(entry)];
    if (this.#extremities.size > 0) problems.push(`${eventId} is told of a room that has events of its own`);
    this.#current = this.#current.set(...entry);
    return problems;
  }

  /** Takes word that a part of the state alone was told: what it lacks is told later (`checkFilled`). */
  notePartial(joined: EventId): void {
    this.#partial = new VerifiedPartial(joined);
  }

  /** Takes what follows from the whole state before a join event; answers what is wrong with it. */
  checkFilled(filled: JoinFilled): string[] {
    const whole = this.#told.find(filled.event_id);
    if (this.#partial === undefined || whole === undefined) return ['what a join lacked was not told'];
    const { after, current, problems } = this.#partial.check(filled, whole, this.#current, this.version, this.#events);
    for (const [eventId, state] of after) this.#after.set(eventId, state);
    this.#extremities = new Map(Array.from(this.#extremities.keys(), (eventId) => [eventId, current]));
    [this.#current, this.#partial] = [current, undefined];
    this.#told.forget(filled.event_id);
    return problems;
  }

  /** Whether this is the create event of another room, while nothing of this one is here. */
  isOtherBeginning(eventId: EventId): boolean {
    if (this.#extremities.size > 0 || this.#current.size > 0) return false;
    const { createEvent } = this.#events;
    return createEvent !== undefined && createEvent.eventId !== eventId;
  }

  /** Whether an event is a forward extremity of the room. */
  isExtremity(eventId: EventId): boolean {
    return this.#extremities.has(eventId);
  }

  /** Takes an event; answers what is wrong with what its fact says of it. */
  check(event: RoomEvent, fact: PlacedFact): string[] {
    const { body } = fact;
    if (body.origin !== undefined || body.history === true || !this.#events.isOfMaker(event)) this.#isShared = true;
    const redacted = this.#findRedacted(event);
    this.#events.take(event);
    const problems: string[] = [];
    const before = this.#stateBefore(event, body, problems);
    problems.push(...this.#checkOutcome(event, fact, before));
    const after = fact.type === 'pdu-rejected' ? before : stateAfterEvent(before, event, this.version);
    const base = this.#stateOf(body.base ?? event.prevEvents[0]);
    problems.push(...stateProblems(event, fact, { base, before, after }, this.#events));
    const gap = { isOfThePast: body.history === true, isAfterGap: typeof body.base === 'object' };
    if (endsNothing(OUTCOMES[fact.type], gap)) this.#endedNothing.add(event.eventId);
    else this.#endedNothing.delete(event.eventId);
    this.redactions.take(event, true);
    if (fact.type === 'pdu-soft-failed') this.#lifts.take(event.eventId);
    if (fact.type === 'pdu-accepted') {
      problems.push(...this.redactions.accept(event, before, redacted, fact.body));
      this.#checkPlace(event, fact.body, after, problems);
      problems.push(...(this.#partial?.note(event, fact.body, this.#extremities.size) ?? []));
    }
    this.#note(event, before, after);
    this.#told.forget(event.eventId);
    return problems;
  }

  /** What a redaction names, where that is here. */
  #findRedacted({ redacts }: RoomEvent): Redacted | undefined {
    const event = redacts && this.#events.findAny(redacts);
    return event && { event, isPlaced: !this.#isShared || this.#after.has(event.eventId) };
  }

  #stateBefore(event: RoomEvent, body: PduWithState, problems: string[]): StateTrie {
    const { eventId, prevEvents } = event;
    const strangers = prevEvents.filter((id) => !this.#after.has(id));
    const learnt = typeof body.base === 'object' ? this.#told.find(eventId) : undefined;
    if (learnt !== undefined) {
      if (strangers.length > 0) return learnt;
      problems.push(`${eventId}: stands on a state that was told, though all its parents are here`);
    }
    if (strangers.length > 0) {
      const why = this.#isShared ? 'which the room does not have before it' : 'no extremity before it';
      problems.push(`${eventId}: refers to ${strangers.join(', ')}, ${why}`);
    }
    const parents = prevEvents.flatMap((id) => this.#after.get(id) ?? []);
    // What goes on from here is told once, not again for every event behind it.
    if (parents.length === 0) return prevEvents.length === 0 ? StateTrie.empty : this.#current;
    return resolveState(parents, this.version, this.#events);
  }

  #checkOutcome(event: RoomEvent, { type, body }: PlacedFact, before: StateTrie): string[] {
    const { eventId } = event;
    if (this.#events.restsOnErased(event)) {
      this.#events.noteRejection(eventId, type === 'pdu-rejected' ? 'state' : undefined);
      return [];
    }
    const byAuthEvents = this.#events.refusalByAuthEvents(event);
    const refusal = byAuthEvents ?? this.#events.refusalByState(event, before);
    const check = byAuthEvents === undefined ? 'state' : 'auth-events';
    this.#events.noteRejection(eventId, refusal === undefined ? undefined : check);
    const problems = outcomeProblems(event, refusal, type === 'pdu-rejected');
    // Before the first event there is no current state that could forbid it; one of the past is not asked of it.
    if (type !== 'pdu-accepted' || body.history === true || refusal !== undefined) return problems;
    if (isAnew(event, body, this.#current, this.#events)) return problems;
    if (this.#extremities.size === 0 || before.rootHash === this.#current.rootHash) return problems;
    const isAfterGap = typeof body.base === 'object';
    const now = isAfterGap ? resolveState([this.#current, before], this.version, this.#events) : this.#current;
    const refusalNow = this.#events.refusalByState(event, now);
    return refusalNow === undefined
      ? problems
      : [...problems, `${eventId}: not authorised by the current state: ${refusalNow}`];
  }

  /** The extremities and the current state after an accepted event. */
  #checkPlace(event: RoomEvent, body: PduAccepted, after: StateTrie, problems: string[]): void {
    const { eventId, prevEvents } = event;
    const extremities = new Map(this.#extremities);
    if (isAnew(event, body, this.#current, this.#events)) extremities.clear();
    else if (body.anew === true) problems.push(`${eventId}: does not bring the room anew`);
    if (body.history === true) this.#fill(event, body, extremities);
    else {
      for (const id of this.#standsOn(prevEvents)) extremities.delete(id);
      extremities.set(eventId, after);
    }
    problems.push(...extremityProblems(body, [...this.#extremities.keys()], [...extremities.keys()]));
    const current = resolveState([...extremities.values()], this.version, this.#events);
    if (body.history !== true) {
      const base = this.#stateOf(body.base ?? prevEvents[0]);
      problems.push(...currentProblems(body, { base, after }, { before: this.#current, after: current }));
    }
    this.#extremities = extremities;
    this.#current = current;
  }

  /** Takes those away that are none any more since an event of the past filled a gap, where the current state is the same without them. */
  #fill({ prevEvents }: RoomEvent, body: PduAccepted, extremities: Map<EventId, StateTrie>): void {
    const told = new Set(extremitiesAfter([...extremities.keys()], body));
    const ended = [...this.#standsOn(prevEvents)].filter((id) => extremities.has(id) && !told.has(id));
    if (ended.length === 0) return;
    const left = [...extremities].flatMap(([id, state]) => (ended.includes(id) ? [] : [state]));
    if (resolveState(left, this.version, this.#events).rootHash !== this.#current.rootHash) return;
    for (const id of ended) extremities.delete(id);
  }

  /** The events that one with these parents stands on. */
  #standsOn(parents: readonly EventId[]): ReadonlySet<EventId> {
    const walk = standsOn(parents);
    let step = walk.next();
    while (!step.done) {
      step = walk.next(step.value.flatMap((id) => (this.#endedNothing.has(id) ? (this.#events.get(id) ?? []) : [])));
    }
    return step.value;
  }

  #note(event: RoomEvent, before: StateTrie, after: StateTrie): void {
    const { eventId, type, stateKey } = event;
    this.#after.delete(eventId);
    this.#after.set(eventId, after);
    if (this.#isShared) return;
    if (stateKey === undefined) this.#events.forget(eventId);
    const replaced = stateKey === undefined ? undefined : before.get(type, stateKey);
    if (replaced !== undefined) this.#replaced.set(eventId, replaced);
    for (const old of this.#after.keys()) {
      if (this.#after.size <= KEPT) return;
      this.#after.delete(old);
      const forgotten = this.#replaced.get(old);
      // What may decide a conflict later is kept: the chain of the power levels.
      if (forgotten !== undefined && !KEPT_TYPES.has(this.#events.get(forgotten)?.type)) this.#events.forget(forgotten);
      this.#replaced.delete(old);
    }
  }

  #stateOf(base: StateBase | undefined): StateTrie | undefined {
    if (base === undefined) return StateTrie.empty;
    return typeof base === 'object' ? this.#told.find(base.learnt) : this.#after.get(base);
  }
}
