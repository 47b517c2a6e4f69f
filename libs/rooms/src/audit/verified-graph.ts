import type { EventId } from '#kernel/ids';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { checkEventAuth } from '#protocol/event-auth/authorize-event';
import { checkAuthEvents } from '#protocol/event-auth/check-auth-events';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { EventsById, Rejection } from '#protocol/state-resolution/events-by-id';
import { resolveState } from '#protocol/state-resolution/resolve-state';
import { StateTrie, trieOf } from '#protocol/state-trie/state-trie';
import { changesBetween, stateAfterEvent } from '../decide/room-state.js';
import { MOST_REFUSED } from '../receive/place-in-graph.js';
import {
  heldBefore,
  historyVisibilityOf,
  type OutlierStored,
  type PduAccepted,
  type PduRejected,
  type PduWithState,
  type StateBase,
  type StateChange,
  type StateLearnt,
} from '../facts/room-facts.js';

/** What became of an event whose state is told. */
export type GraphFact =
  | { readonly type: 'pdu-accepted'; readonly body: PduAccepted }
  | { readonly type: 'pdu-soft-failed'; readonly body: PduWithState }
  | { readonly type: 'pdu-rejected'; readonly body: PduRejected };

/**
 * So many events back, in a room that nobody else has written to, a state is still known: there every event stands on the
 * last one. From the first event of another server on all of them are.
 */
const KEPT = 1_000;

const KEPT_TYPES: ReadonlySet<string | undefined> = new Set(['m.room.power_levels', 'm.room.join_rules']);

/**
 * The graph of a room, computed once more from its PDUs alone: the state before and after each event, resolved where it has
 * several parents, the forward extremities and the current state. Tells where the facts say something else.
 */
export class VerifiedGraph implements EventsById {
  readonly #events = new Map<EventId, RoomEvent>();
  readonly #rejections = new Map<EventId, Rejection>();
  readonly #erased = new Set<EventId>();
  /** The state after each event, oldest first. */
  readonly #after = new Map<EventId, StateTrie>();
  /** What each of the events in `#after` took the place of, where nobody else has written to the room. */
  readonly #replaced = new Map<EventId, EventId>();
  /** Those of them that are soft-failed or rejected: they end nothing. */
  readonly #refused = new Set<EventId>();
  readonly #learnt = new Map<EventId, (readonly (readonly [string, string, EventId])[])[]>();
  #extremities = new Map<EventId, StateTrie>();
  #current = StateTrie.empty;
  #createEvent: RoomEvent | undefined;
  #isShared = false;

  constructor(private readonly version: RoomVersion) {}

  /** How many events are held. */
  get held(): number {
    return this.#events.size;
  }

  get(eventId: EventId): RoomEvent | undefined {
    return this.#events.get(eventId);
  }

  rejectionOf(eventId: EventId): Rejection | undefined {
    return this.#rejections.get(eventId);
  }

  /** Only what a redaction leaves of it is there: nobody can tell any more what it was allowed by, nor what it allowed. */
  noteErased(eventId: EventId): void {
    this.#erased.add(eventId);
  }

  /** From here on the room decides by what remains of an event. */
  noteRedacted(remains: RoomEvent): void {
    if (this.#events.has(remains.eventId)) this.#events.set(remains.eventId, remains);
  }

  /** Takes an event whose place is not known; answers what is wrong with what its fact says. */
  checkOutlier(event: RoomEvent, body: OutlierStored): string[] {
    this.#isShared = true;
    if (event.type === 'm.room.create') this.#createEvent ??= event;
    this.#events.set(event.eventId, event);
    const refusal = this.#refusalByAuthEvents(event);
    if (refusal !== undefined) this.#rejections.set(event.eventId, 'auth-events');
    return outcomeProblems(event, refusal, body.reason !== undefined);
  }

  /** Takes a part of a state that another server told; answers what is wrong with it. */
  checkLearnt({ event_id: eventId, part, parts, root, state }: StateLearnt): string[] {
    this.#isShared = true;
    const known = this.#learnt.get(eventId) ?? [];
    if (part !== known.length + 1) return [`part ${part} of the state before ${eventId} is out of turn`];
    this.#learnt.set(eventId, [...known, state]);
    const strangers = state.filter(([, , id]) => !this.#events.has(id)).map(([, , id]) => id);
    const problems =
      strangers.length === 0 ? [] : [`the state before ${eventId} names ${strangers.join(', ')}, not here`];
    const told = part === parts ? this.#learntState(eventId)?.rootHash : root;
    if (told !== root) problems.push(`the state before ${eventId} has the root ${told}, not ${root}`);
    return problems;
  }

  /** Takes an event; answers what is wrong with what its fact says of it. */
  check(event: RoomEvent, fact: GraphFact): string[] {
    const { body } = fact;
    if (body.origin !== undefined || body.history === true) this.#isShared = true;
    if (event.type === 'm.room.create') this.#createEvent ??= event;
    this.#events.set(event.eventId, event);
    const problems: string[] = [];
    const before = this.#stateBefore(event, body, problems);
    problems.push(...this.#checkOutcome(event, fact, before));
    const after = fact.type === 'pdu-rejected' ? before : stateAfterEvent(before, event, this.version);
    this.#checkState(event, fact, before, after, problems);
    if (fact.type === 'pdu-accepted') this.#refused.delete(event.eventId);
    else this.#refused.add(event.eventId);
    if (fact.type === 'pdu-accepted') this.#checkPlace(event, fact.body, after, problems);
    this.#note(event, before, after);
    return problems;
  }

  #stateBefore(event: RoomEvent, body: PduWithState, problems: string[]): StateTrie {
    const { eventId, prevEvents } = event;
    if (typeof body.base === 'object' && body.base.learnt === eventId) {
      const learnt = this.#learntState(eventId);
      if (learnt !== undefined) return learnt;
    }
    const strangers = prevEvents.filter((id) => !this.#after.has(id));
    if (strangers.length > 0) {
      const why = this.#isShared ? 'which the room does not have before it' : 'no extremity before it';
      problems.push(`${eventId}: refers to ${strangers.join(', ')}, ${why}`);
    }
    const parents = prevEvents.flatMap((id) => this.#after.get(id) ?? []);
    // What goes on from here is told once, not again for every event behind it.
    if (parents.length === 0) return prevEvents.length === 0 ? StateTrie.empty : this.#current;
    return resolveState(parents, this.version, this);
  }

  #checkOutcome(event: RoomEvent, { type, body }: GraphFact, before: StateTrie): string[] {
    if ([event.eventId, ...event.authEvents].some((id) => this.#erased.has(id))) {
      if (type === 'pdu-rejected') this.#rejections.set(event.eventId, 'state');
      else this.#rejections.delete(event.eventId);
      return [];
    }
    const byAuthEvents = this.#refusalByAuthEvents(event);
    const refusal = byAuthEvents ?? this.#refusalBy(event, before);
    if (refusal !== undefined)
      this.#rejections.set(event.eventId, byAuthEvents === undefined ? 'state' : 'auth-events');
    else this.#rejections.delete(event.eventId);
    const problems = outcomeProblems(event, refusal, type === 'pdu-rejected');
    // Of our own events the state before is the current one; one of the past is not asked of it.
    if (type !== 'pdu-accepted' || body.origin === undefined || body.history === true || refusal !== undefined)
      return problems;
    const now = this.#refusalBy(event, this.#current);
    return now === undefined
      ? problems
      : [...problems, `${event.eventId}: not authorised by the current state: ${now}`];
  }

  #checkState(
    event: RoomEvent,
    { type, body }: GraphFact,
    before: StateTrie,
    after: StateTrie,
    problems: string[],
  ): void {
    const { eventId, prevEvents } = event;
    const key = before.get('m.room.history_visibility', '');
    const visibility = historyVisibilityOf((key && this.#events.get(key)?.content) ?? {});
    if (body.visibility !== visibility) {
      problems.push(`${eventId}: the history visibility at it is ${visibility}, not ${body.visibility}`);
    }
    const base = this.#stateOf(body.base ?? prevEvents[0]);
    if (base !== undefined && !sameChanges(changesBetween(base, after), body.state)) {
      problems.push(`${eventId}: the state delta is not its own effect`);
    } else if (type !== 'pdu-rejected') problems.push(...heldBeforeProblems(event, body, before));
    if (after.rootHash !== body.root) {
      problems.push(`${eventId}: the state after it has the root ${after.rootHash}, not ${body.root}`);
    }
  }

  /** The extremities and the current state after an accepted event. */
  #checkPlace(event: RoomEvent, body: PduAccepted, after: StateTrie, problems: string[]): void {
    const { eventId, prevEvents } = event;
    const extremities = new Map(this.#extremities);
    if (body.history !== true) {
      for (const id of this.#standsOn(prevEvents)) extremities.delete(id);
      extremities.set(eventId, after);
    }
    const expected = [...extremities.keys()];
    if (body.extremities.toSorted().join() !== expected.toSorted().join()) {
      problems.push(
        `${eventId}: the extremities after it are ${expected.join(', ')}, not ${body.extremities.join(', ')}`,
      );
    }
    const current = resolveState([...extremities.values()], this.version, this);
    if (body.history !== true) problems.push(...this.#checkCurrent(body, after, current));
    this.#extremities = extremities;
    this.#current = current;
  }

  /** What is told of the current state after an event. */
  #checkCurrent(
    { event_id: eventId, base, current: told }: PduAccepted,
    after: StateTrie,
    current: StateTrie,
  ): string[] {
    const changes = changesBetween(this.#current, current);
    if (told === undefined) {
      const from = this.#stateOf(base ?? this.#events.get(eventId)?.prevEvents[0]);
      const isSame = after.rootHash === current.rootHash && from?.rootHash === this.#current.rootHash;
      return isSame || from === undefined ? [] : [`${eventId}: changes the current state otherwise, which is not told`];
    }
    const problems: string[] = [];
    if (told.root !== current.rootHash) {
      problems.push(`${eventId}: the current state after it has the root ${current.rootHash}, not ${told.root}`);
    }
    if (!sameChanges(changes, told.state)) {
      problems.push(`${eventId}: what it changed in the current state is not its effect`);
    }
    return problems;
  }

  /** The events that one with these parents stands on: these and, by way of refused ones, the parents of those. */
  #standsOn(parents: readonly EventId[]): Set<EventId> {
    const all = new Set<EventId>();
    let budget = MOST_REFUSED;
    let next = [...new Set(parents)];
    while (next.length > 0) {
      for (const id of next) all.add(id);
      const refused = next.filter((id) => this.#refused.has(id));
      budget -= refused.length;
      if (budget < 0) break;
      const further = refused.flatMap((id) => this.#events.get(id)?.prevEvents ?? []);
      next = [...new Set(further)].filter((id) => !all.has(id));
    }
    return all;
  }

  #note(event: RoomEvent, before: StateTrie, after: StateTrie): void {
    const { eventId, type, stateKey } = event;
    this.#after.delete(eventId);
    this.#after.set(eventId, after);
    if (this.#isShared) return;
    if (stateKey === undefined) this.#events.delete(eventId);
    const replaced = stateKey === undefined ? undefined : before.get(type, stateKey);
    if (replaced !== undefined) this.#replaced.set(eventId, replaced);
    for (const old of this.#after.keys()) {
      if (this.#after.size <= KEPT) return;
      this.#after.delete(old);
      const forgotten = this.#replaced.get(old);
      // What may decide a conflict later is kept: the chain of the power levels.
      if (forgotten !== undefined && !KEPT_TYPES.has(this.#events.get(forgotten)?.type)) this.#events.delete(forgotten);
      this.#replaced.delete(old);
    }
  }

  #refusalByAuthEvents(event: RoomEvent): string | undefined {
    const auth = event.authEvents.flatMap((id) => this.#events.get(id) ?? []);
    return refusalOf(() => {
      if (auth.length < event.authEvents.length) throw new Error('its auth events are not all here');
      checkAuthEvents(event, auth, this.version, (id) => this.#rejections.has(id));
      checkEventAuth(event, this.version, authStateOf(auth, this.#createEvent));
    });
  }

  #refusalBy(event: RoomEvent, state: StateTrie): string | undefined {
    const auth = selectAuthTypes(event, this.version).flatMap(({ type, stateKey }) => {
      const id = state.get(type, stateKey);
      return (id && this.#events.get(id)) ?? [];
    });
    return refusalOf(() => checkEventAuth(event, this.version, authStateOf(auth, this.#createEvent)));
  }

  #stateOf(base: StateBase | undefined): StateTrie | undefined {
    if (base === undefined) return StateTrie.empty;
    return typeof base === 'object' ? this.#learntState(base.learnt) : this.#after.get(base);
  }

  #learntState(eventId: EventId): StateTrie | undefined {
    const parts = this.#learnt.get(eventId);
    return parts && trieOf(parts.flat().map(([type, stateKey, id]) => ({ type, stateKey, eventId: id })));
  }
}

/** Why something is refused; undefined where it is not. */
function refusalOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function outcomeProblems({ eventId }: RoomEvent, refusal: string | undefined, isRejected: boolean): string[] {
  if (refusal === undefined) return isRejected ? [`${eventId}: rejected, though the rules allow it`] : [];
  return isRejected ? [] : [`${eventId}: not authorised by the state before it: ${refusal}`];
}

function heldBeforeProblems({ eventId, type, stateKey }: RoomEvent, body: PduWithState, before: StateTrie): string[] {
  const held = stateKey === undefined ? undefined : before.get(type, stateKey);
  const told = heldBefore(body);
  return told === held
    ? []
    : [`${eventId}: its key was held by ${held ?? 'nothing'} before it, not ${told ?? 'nothing'}`];
}

function sameChanges(expected: readonly StateChange[], told: readonly StateChange[]): boolean {
  const texts = (changes: readonly StateChange[]): string =>
    changes
      .map(({ type, state_key: key, event_id: id, replaces }) => JSON.stringify([type, key, id, replaces]))
      .sort()
      .join();
  return texts(expected) === texts(told);
}
