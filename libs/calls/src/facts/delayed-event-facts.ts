import { randomBytes } from 'node:crypto';
import type { FactShapes } from '#event-store/fact-shapes';
import type { DeviceId, EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/** What a user has sent later: MSC4140. Of each event only its last fact counts, and that goes some time after it has ended. */
export const DELAYED_STREAM_PREFIX = 'delayed-';
export const delayedStream = (userId: UserId): string => `${DELAYED_STREAM_PREFIX}${userId}`;

/** Whose delayed events a stream is about. */
export const userIdOfDelayed = (stream: string): UserId => stream.slice(DELAYED_STREAM_PREFIX.length) as UserId;

/** In `delayed-{user_id}`: `event-delayed`: the event is to be sent once `delay` has passed since then. */
export interface EventDelayed {
  readonly delay_id: string;
  readonly room_id: RoomId;
  readonly type: string;
  readonly state_key?: string;
  /** In milliseconds. */
  readonly delay: number;
  /** When it was scheduled, in milliseconds since the epoch. */
  readonly running_since: number;
  /** The client's transaction: the same one is scheduled once. */
  readonly txn?: { readonly device_id: DeviceId; readonly txn_id: string };
  /** What an application service has it say of when it was sent. */
  readonly sent_at?: number;
  /** For how long it is sticky then, in milliseconds: MSC4354. */
  readonly sticky_ms?: number;
  readonly guest?: true;
  /** The application service, by its id, that scheduled it. */
  readonly service?: string;
  /** The erasable part: JSON, whose numbers keep their spelling. */
  readonly content: string;
}

/** In the same stream: `delay-restarted`: the time is counted anew from here on. */
export interface DelayRestarted {
  readonly delay_id: string;
  readonly running_since: number;
  /** Of a hang-up that is looked after since then: whose it is had been seen in the call. */
  readonly seen?: number;
}

/**
 * In the same stream: `delay-delegated`: a hang-up is looked after here, as long as who is in the call is connected to LiveKit. Of one
 * membership the last one counts, and of one event.
 */
export interface DelayDelegated extends Delegation {
  readonly delay_id: string;
}

/** Whose hang-up it is, in the words of LiveKit, and since when it is looked after, in milliseconds since the epoch. */
export interface Delegation {
  readonly room: string;
  readonly identity: string;
  readonly since: number;
}

/** What became of a delayed event. */
export interface DelayEnd {
  readonly outcome: 'send' | 'cancel' | 'error';
  /** Somebody said so, or its time had come. */
  readonly reason: 'action' | 'delay';
  readonly ended_at: number;
  /** How many of the user had ended by then, with this one, as far as that was known; none in older facts. Whatever the clock said, of two the one with more ended later. */
  readonly nth?: number;
  readonly event_id?: EventId;
  /** Why it could not be sent, as a response would have told it. */
  readonly error?: JsonObject;
}

/** In the same stream: `delay-ended`. */
export interface DelayEnded extends DelayEnd {
  readonly delay_id: string;
  /**
   * The erasable part: as it was. Of what was sent the room has the content, and this has not; nor has it where many contents were never sent.
   */
  readonly event: Omit<EventDelayed, 'content'> & { readonly content?: string };
}

/** In the same stream: `delayed-events-ended`: the account is closed, and what was before goes from the log. */
export type DelayedEventsEnded = Readonly<Record<string, never>>;

export type DelayedEventFact =
  | { readonly type: 'event-delayed'; readonly data: EventDelayed }
  | { readonly type: 'delay-restarted'; readonly data: DelayRestarted }
  | { readonly type: 'delay-delegated'; readonly data: DelayDelegated }
  | { readonly type: 'delay-ended'; readonly data: DelayEnded }
  | { readonly type: 'delayed-events-ended'; readonly data: DelayedEventsEnded };

/** How old shapes of these facts become today's. */
export const DELAYED_EVENT_SHAPES = {
  'event-delayed': [],
  'delay-restarted': [],
  'delay-delegated': [],
  'delay-ended': [],
  'delayed-events-ended': [],
} as const satisfies FactShapes;

const SALT_BYTES = 16;
const ERASABLE: Readonly<Record<string, string>> = { 'event-delayed': 'content', 'delay-ended': 'event' };

/** A fact's data as text, and where the part begins that may be erased: with a salt, for its hash stays and it could be guessed. */
export function textOfDelayed({ type, data }: DelayedEventFact): { readonly data: string; readonly erasable?: number } {
  const key = ERASABLE[type];
  if (key === undefined) return { data: JSON.stringify(data) };
  const { [key]: value, ...rest } = data as unknown as JsonObject; // facts are JSON
  const head = `${JSON.stringify(rest).slice(0, -1)},`;
  const salt = randomBytes(SALT_BYTES).toString('base64url');
  return { data: `${head}"${key}":${JSON.stringify(value)},"salt":"${salt}"}`, erasable: head.length };
}

/** What takes the place of the content of an event that has ended, in the facts by which it was scheduled. */
export const CONTENT_ERASED = '"content":"{}"}';

/** The same in the fact that says what became of it, once nobody is told of that any more: all of the event but its content. */
export function eventErased(event: DelayEnded['event']): string {
  return `"event":${JSON.stringify({ ...event, content: undefined })}}`;
}
