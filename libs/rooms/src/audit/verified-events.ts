import { type EventId, serverNameOf } from '#kernel/ids';
import { messageOf } from '#kernel/message-of';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { checkEventAuth } from '#protocol/event-auth/authorize-event';
import { checkAuthEvents, NOT_AUTHORISED } from '#protocol/event-auth/check-auth-events';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { EventsById, Rejection } from '#protocol/state-resolution/events-by-id';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { IdPrints } from './id-prints.js';

/** So many ids of events that were forgotten take as much memory as one event. */
const IDS_LIKE_AN_EVENT = 80;

/** The events of a room that its verifier has come to, which of them the rules refuse, and of which nobody can tell any more. */
export class VerifiedEvents implements EventsById {
  readonly #events = new Map<EventId, RoomEvent>();
  readonly #rejections = new Map<EventId, Rejection>();
  readonly #erased = new Set<EventId>();
  readonly #forgotten = new IdPrints();
  #createEvent: RoomEvent | undefined;

  constructor(
    private readonly version: RoomVersion,
    /** Whether the signature by which a restricted join is authorised does not hold. */
    private readonly isForged: (event: RoomEvent) => boolean,
  ) {}

  /** How many events are held, or what takes as much memory. */
  get size(): number {
    return this.#events.size + Math.floor(this.#forgotten.size / IDS_LIKE_AN_EVENT);
  }

  get createEvent(): RoomEvent | undefined {
    return this.#createEvent;
  }

  get(eventId: EventId): RoomEvent | undefined {
    return this.#events.get(eventId);
  }

  /**
   * An event that is here, also where it was forgotten: then no more of it is known than that it is of the server which made the room
   * (`isOfMaker`), and not the create event.
   */
  findAny(eventId: EventId): RoomEvent | undefined {
    const event = this.#events.get(eventId);
    if (event !== undefined || this.#createEvent === undefined || !this.#forgotten.has(eventId)) return event;
    return { ...this.#createEvent, eventId, type: 'forgotten', stateKey: undefined };
  }

  /** Whether an event is of the server that made the room. */
  isOfMaker({ sender }: RoomEvent): boolean {
    return this.#createEvent === undefined || serverNameOf(sender) === serverNameOf(this.#createEvent.sender);
  }

  rejectionOf(eventId: EventId): Rejection | undefined {
    return this.#rejections.get(eventId);
  }

  take(event: RoomEvent): void {
    if (event.type === 'm.room.create') this.#createEvent ??= event;
    this.#events.set(event.eventId, event);
  }

  /** Says by which check an event is refused; undefined: by none. */
  noteRejection(eventId: EventId, rejection: Rejection | undefined): void {
    if (rejection === undefined) this.#rejections.delete(eventId);
    else this.#rejections.set(eventId, rejection);
  }

  /** Only what a redaction leaves of it is there: nobody can tell any more what it was allowed by, nor what it allowed. */
  noteErased(eventId: EventId): void {
    this.#erased.add(eventId);
  }

  /** From here on the room decides by what remains of an event. */
  noteRedacted(remains: RoomEvent): void {
    if (this.#events.has(remains.eventId)) this.#events.set(remains.eventId, remains);
  }

  /** Lets an event go that nothing will be judged by; all before it are of the server that made the room. */
  forget(eventId: EventId): void {
    this.#events.delete(eventId);
    this.#forgotten.add(eventId);
  }

  /** Whether nobody can tell any more what an event was allowed by. */
  restsOnErased({ eventId, authEvents }: RoomEvent): boolean {
    return [eventId, ...authEvents].some((id) => this.#erased.has(id));
  }

  /** Why its own auth events do not allow an event; undefined where they do. */
  refusalByAuthEvents(event: RoomEvent): string | undefined {
    if (this.isForged(event)) return NOT_AUTHORISED;
    const auth = event.authEvents.flatMap((id) => this.#events.get(id) ?? []);
    return refusalOf(() => {
      if (auth.length < event.authEvents.length) throw new Error('its auth events are not all here');
      checkAuthEvents(event, auth, this.version, (id) => this.#rejections.has(id));
      checkEventAuth(event, this.version, authStateOf(auth, this.#createEvent));
    });
  }

  /** Why a state does not allow an event; undefined where it does. */
  refusalByState(event: RoomEvent, state: StateTrie): string | undefined {
    const auth = selectAuthTypes(event, this.version).flatMap(({ type, stateKey }) => {
      const id = state.get(type, stateKey);
      return (id && this.#events.get(id)) ?? [];
    });
    return refusalOf(() => checkEventAuth(event, this.version, authStateOf(auth, this.#createEvent)));
  }
}

/** Why something is refused; undefined where it is not. */
function refusalOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
