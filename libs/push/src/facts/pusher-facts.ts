import type { FactShapes } from '#event-store/fact-shapes';
import type { DeviceId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Digest } from '../digests/digest.js';

/** Where a user's notifications are pushed to. Of each pusher only the last fact counts; with the account all of it goes. */
export const PUSHERS_STREAM_PREFIX = 'pushers-';
export const pushersStream = (userId: UserId): string => `${PUSHERS_STREAM_PREFIX}${userId}`;

/** Whose pushers a stream is about. */
export const userIdOfPushers = (stream: string): UserId => stream.slice(PUSHERS_STREAM_PREFIX.length) as UserId;

/** What a pusher of a user is called by: the application, and where its gateway finds the device. */
export interface PusherName {
  readonly app_id: string;
  /** Of the kind `email`: see `MailPushers`. */
  readonly pushkey: string;
}

/** In `pushers-{user_id}`: `pusher-set`: the pusher is this from here on, all of it. */
export interface PusherSet extends PusherName {
  /** `email`: what is unread is mailed to the user, and no gateway is told anything. */
  readonly kind: 'http' | 'email';
  readonly app_display_name: string;
  readonly device_display_name: string;
  readonly lang: string;
  readonly profile_tag?: string;
  /** As the client gave it. */
  readonly data: JsonObject;
  /** MSC3881: nothing is pushed while it is false. */
  readonly enabled: boolean;
  /** The device that set it last for itself, with which it goes. */
  readonly device_id: DeviceId;
  /** When a client last set it, in milliseconds since the epoch. */
  readonly set_at: number;
  /** Pushers of other users by the same name, set before this one, are to go: it was set without `append`. */
  readonly alone?: true;
  /** Its gateway could not be reached, and what was to be pushed meanwhile is owed to it. */
  readonly behind?: true;
  /** Of the kind `email`: what was mailed, and what is to be. */
  readonly digest?: Digest;
}

/**
 * Why a pusher is no more: its user, its device or what the gateway, or the mail server, said of it; another user has it now; or, of one that mails, its user has that
 * address no more, or followed the link in a mail.
 */
export type PusherRemovedReason = 'user' | 'device' | 'rejected' | 'taken-over' | 'address' | 'unsubscribed';

/** In the same stream: `pusher-removed`. */
export interface PusherRemoved extends PusherName {
  readonly reason: PusherRemovedReason;
}

/** In the same stream: `pushers-ended`: the account is closed, and what was before goes from the log. */
export type PushersEnded = Readonly<Record<string, never>>;

export type PusherFact =
  | { readonly type: 'pusher-set'; readonly data: PusherSet }
  | { readonly type: 'pusher-removed'; readonly data: PusherRemoved };

/** How old shapes of these facts become today's. */
export const PUSHER_SHAPES = {
  // Since its second schema one may mail: who does not know that would have a gateway told.
  'pusher-set': [(before) => before],
  'pusher-removed': [],
  'pushers-ended': [],
} as const satisfies FactShapes;
