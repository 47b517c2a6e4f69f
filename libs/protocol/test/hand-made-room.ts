import type { EventId } from '#kernel/ids';
import type { AuthState } from '../src/event-auth/auth-state.js';
import { findAuthRefusal } from '../src/event-auth/authorize-event.js';
import { selectAuthTypes } from '../src/event-auth/select-auth-types.js';
import type { RoomEvent } from '../src/room-event.js';
import type { RoomVersion } from '../src/room-versions/room-version.js';
import { isStateDeletion } from '../src/state-deletion.js';
import type { EventsById, Rejection } from '../src/state-resolution/events-by-id.js';
import { resolveState } from '../src/state-resolution/resolve-state.js';
import { StateTrie, trieOf } from '../src/state-trie/state-trie.js';
import { ALICE, makeCreate, makeEvent, member, type EventDraft } from './hand-made-events.js';

function stateAfter(before: StateTrie, event: RoomEvent, version: RoomVersion): StateTrie {
  const { type, stateKey, eventId } = event;
  if (stateKey === undefined) return before;
  return isStateDeletion(event, version) ? before.delete(type, stateKey) : before.set(type, stateKey, eventId);
}

/** A room as one server sees it: events with their places in the graph, and the state after each. Ids are symbolic. */
export class HandMadeRoom implements EventsById {
  readonly #events = new Map<EventId, RoomEvent>();
  readonly #after = new Map<EventId, StateTrie>();
  readonly #rejected = new Map<EventId, Rejection>();

  constructor(readonly version: RoomVersion) {}

  /** A room with the create event and Alice's join, `$alice`. */
  static created(version: RoomVersion): HandMadeRoom {
    const room = new HandMadeRoom(version);
    const create = makeCreate(version);
    room.receive(create);
    room.send(member(ALICE, 'join', { id: '$alice', prev: [create.eventId] }));
    return room;
  }

  /** All events, in the order of arrival. */
  get events(): readonly RoomEvent[] {
    return [...this.#events.values()];
  }

  get(eventId: EventId): RoomEvent | undefined {
    return this.#events.get(eventId);
  }

  rejectionOf(eventId: EventId): Rejection | undefined {
    return this.#rejected.get(eventId);
  }

  /** Marks an event as rejected on receipt. */
  reject(id: string, rejection: Rejection): void {
    this.#rejected.set(id as EventId, rejection);
  }

  /** Sends an event on top of `draft.prev`, with auth events of the state there. Throws if the rules refuse it. */
  send(draft: EventDraft): RoomEvent {
    const event = this.#place(draft);
    const refusal = this.#refusalOf(event);
    if (refusal !== undefined) throw new Error(`${event.eventId}: ${refusal}`);
    this.receive(event);
    return event;
  }

  /** As `send`, but leaves out what the rules refuse and answers whether it was sent. */
  trySend(draft: EventDraft): boolean {
    const event = this.#place(draft);
    if (this.#refusalOf(event) !== undefined) return false;
    this.receive(event);
    return true;
  }

  /** Takes an event as it is. */
  receive(event: RoomEvent): void {
    const before = this.stateBefore(event.prevEvents);
    this.#events.set(event.eventId, event);
    this.#after.set(event.eventId, stateAfter(before, event, this.version));
  }

  stateAfter(id: string): StateTrie {
    const state = this.#after.get(id as EventId);
    if (state === undefined) throw new Error(`no such event: ${id}`);
    return state;
  }

  stateBefore(prev: readonly string[]): StateTrie {
    return this.resolve(prev.map((id) => this.stateAfter(id)));
  }

  /** The state of some events. */
  stateOf(...ids: readonly string[]): StateTrie {
    return trieOf(
      ids.map((id) => {
        const event = this.#events.get(id as EventId);
        if (event?.stateKey === undefined) throw new Error(`no such state event: ${id}`);
        return { type: event.type, stateKey: event.stateKey, eventId: event.eventId };
      }),
    );
  }

  resolve(states: readonly StateTrie[]): StateTrie {
    return resolveState(states, this.version, this);
  }

  #place(draft: EventDraft): RoomEvent {
    const prev = draft.prev ?? [];
    const state = this.stateBefore(prev);
    const depth = draft.depth ?? 1 + Math.max(...prev.map((id) => this.#events.get(id as EventId)?.depth ?? 0));
    const keys = selectAuthTypes(makeEvent(draft, this.version), this.version);
    const auth = keys.map(({ type, stateKey }) => state.get(type, stateKey)).filter((id) => id !== undefined);
    return makeEvent({ auth, ...draft, depth }, this.version);
  }

  #refusalOf(event: RoomEvent): string | undefined {
    return findAuthRefusal(event, this.version, this.#authState(this.stateBefore(event.prevEvents)));
  }

  #authState(state: StateTrie): AuthState {
    const get = (type: string, stateKey: string) => this.#events.get(state.get(type, stateKey) ?? ('' as EventId));
    return { createEvent: get('m.room.create', ''), get };
  }
}
