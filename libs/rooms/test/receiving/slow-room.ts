import { type EventId, serverNameOf } from '#kernel/ids';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { checkAuthEvents } from '#protocol/event-auth/check-auth-events';
import { findAuthRefusal } from '#protocol/event-auth/authorize-event';
import { levelNeeded, powerLevelOf } from '#protocol/event-auth/power-levels';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import type { RoomEvent } from '#protocol/room-event';
import { DELETED } from '#protocol/state-deletion';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { resolveSlowly, slowKey, type SlowEvents, type SlowState } from './slow-resolution.js';

export type SlowOutcome = 'accepted' | 'soft-failed' | 'rejected' | 'missing' | 'known';

/**
 * A room as one server sees it, by the text of the specification and as slowly as that reads: the whole state after each event
 * is kept, and the extremities, the current state and what is redacted are made anew from all events whenever they are asked for.
 */
export class SlowRoom {
  readonly events = new Map<EventId, RoomEvent>();
  readonly outcomes = new Map<EventId, SlowOutcome>();
  readonly #byAuthEvents = new Set<EventId>();
  readonly #before = new Map<EventId, SlowState>();
  readonly #after = new Map<EventId, SlowState>();

  constructor(readonly version: RoomVersion) {}

  receive(event: RoomEvent): SlowOutcome {
    const { eventId, authEvents, prevEvents } = event;
    if (this.events.has(eventId)) return 'known';
    if ([...authEvents, ...prevEvents].some((each) => !this.events.has(each))) return 'missing';
    const current = this.current();
    const before = this.stateBefore(prevEvents);
    this.events.set(eventId, event);
    this.#before.set(eventId, before);
    const outcome = this.#judge(event, before, current);
    this.outcomes.set(eventId, outcome);
    const after = new Map(before);
    if (outcome !== 'rejected' && event.stateKey !== undefined) {
      const key = slowKey(event.type, event.stateKey);
      if (this.version.stateDeletion && event.content[DELETED] === true) after.delete(key);
      else after.set(key, eventId);
    }
    this.#after.set(eventId, after);
    return outcome;
  }

  stateBefore(prev: readonly EventId[]): SlowState {
    return this.#resolve(prev.map((eventId) => this.stateAfter(eventId)));
  }

  /** What the state before an event was found to be when it came. */
  foundBefore(eventId: EventId): SlowState {
    return this.#before.get(eventId)!;
  }

  stateAfter(eventId: EventId): SlowState {
    const state = this.#after.get(eventId);
    if (state === undefined) throw new Error(`no such event: ${eventId}`);
    return state;
  }

  /** The accepted events that no accepted event descends from. */
  extremities(): EventId[] {
    const accepted = [...this.events.keys()].filter((eventId) => this.outcomes.get(eventId) === 'accepted');
    const below = new Set<EventId>();
    for (const eventId of accepted) for (const each of this.ancestorsOf(eventId)) below.add(each);
    return accepted.filter((eventId) => !below.has(eventId));
  }

  current(): SlowState {
    return this.#resolve(this.extremities().map((eventId) => this.stateAfter(eventId)));
  }

  /** The events that a redaction takes effect on. */
  redacted(): EventId[] {
    const all = [...this.events.values()];
    return all
      .filter((target) => all.some((redaction) => this.#takesEffect(redaction, target)))
      .map(({ eventId }) => eventId);
  }

  ancestorsOf(eventId: EventId): Set<EventId> {
    const found = new Set(this.events.get(eventId)?.prevEvents);
    for (const each of found) for (const one of this.events.get(each)?.prevEvents ?? []) found.add(one);
    return found;
  }

  /** The auth events that an event on some others must name. */
  authFor(draft: Pick<RoomEvent, 'type' | 'sender' | 'stateKey' | 'content'>, prev: readonly EventId[]): EventId[] {
    const state = this.stateBefore(prev);
    return selectAuthTypes(draft, this.version).flatMap(
      ({ type, stateKey }) => state.get(slowKey(type, stateKey)) ?? [],
    );
  }

  #judge(event: RoomEvent, before: SlowState, current: SlowState): SlowOutcome {
    const own = event.authEvents.map((each) => this.events.get(each)!);
    const isRejected = (eventId: EventId) => this.outcomes.get(eventId) === 'rejected';
    try {
      checkAuthEvents(event, own, this.version, isRejected);
    } catch {
      this.#byAuthEvents.add(event.eventId);
      return 'rejected';
    }
    if (!this.#allows(event, own)) {
      this.#byAuthEvents.add(event.eventId);
      return 'rejected';
    }
    if (!this.#allows(event, this.#eventsOf(before))) return 'rejected';
    if (event.type !== 'm.room.create' && !this.#allows(event, this.#eventsOf(current))) return 'soft-failed';
    return 'accepted';
  }

  #allows(event: RoomEvent, state: readonly RoomEvent[]): boolean {
    const create = this.version.roomIdIsCreateHash ? this.#create : undefined;
    return findAuthRefusal(event, this.version, authStateOf(state, create)) === undefined;
  }

  #takesEffect(redaction: RoomEvent, target: RoomEvent): boolean {
    const { type, eventId, redacts, sender } = redaction;
    if (type !== 'm.room.redaction' || redacts !== target.eventId || this.outcomes.get(eventId) !== 'accepted')
      return false;
    if (target.type === 'm.room.create') return false;
    if (this.version.redactionAuthRule || serverNameOf(sender) === serverNameOf(target.sender)) return true;
    const state = authStateOf(this.#eventsOf(this.#before.get(eventId)!), this.#create);
    return powerLevelOf(sender, state, this.version) >= levelNeeded('redact', state, this.version);
  }

  #eventsOf(state: SlowState): RoomEvent[] {
    return [...state.values()].map((eventId) => this.events.get(eventId)!);
  }

  get #create(): RoomEvent | undefined {
    return [...this.events.values()].find(({ type }) => type === 'm.room.create');
  }

  #resolve(states: readonly SlowState[]): SlowState {
    if (states.length === 0) return new Map();
    const events: SlowEvents = {
      byId: this.events,
      rejected: new Set([...this.outcomes].filter(([, outcome]) => outcome === 'rejected').map(([eventId]) => eventId)),
      create: this.#create as RoomEvent,
      version: this.version,
    };
    return resolveSlowly(states, events);
  }
}
