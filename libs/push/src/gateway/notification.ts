import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { PusherSet } from '../facts/pusher-facts.js';
import { pusherKey } from '../pushers/known-pushers.js';

/** An event as a gateway is told of it. */
export interface PushedEvent {
  readonly eventId: EventId;
  readonly roomId: RoomId;
  readonly type: string;
  readonly sender: UserId;
  readonly senderName: string | undefined;
  readonly roomName: string | undefined;
  readonly roomAlias: string | undefined;
  /** Of member events: what whoever it is about is by it, and whether that is the user who is told. */
  readonly membership?: string;
  readonly isTarget?: boolean;
  readonly content: JsonObject;
}

/** A pusher, and what the user's rules say of the event for it. */
export interface Addressee {
  readonly pusher: PusherSet;
  readonly tweaks: JsonObject;
}

/** What a gateway is sent in one request, and for whom. */
export interface GatewayRequest {
  readonly body: JsonObject;
  readonly pushers: readonly PusherSet[];
}

/** MSC4076, while it is not accepted: the client counts by itself, and wants no numbers. */
const WITHOUT_BADGE = 'org.matrix.msc4076.disable_badge_count';

/** Events of which nobody but the client can say how much they matter, and calls. */
const URGENT: ReadonlySet<string> = new Set(['m.room.encrypted', 'm.call.invite']);

/**
 * The bodies of `POST /_matrix/push/v1/notify` that tell one gateway of an event, or without one of the number of unread events alone:
 * one for all pushers that are told the same (push gateway API), or one for each of them (`isAlone`). What of it was said in 2015 and is not today is there too, but for
 * `event_id_only`. Nobody is told a number without an event who wants none.
 */
export function formatNotifications(
  event: PushedEvent | undefined,
  addressees: readonly Addressee[],
  unread: number,
  isAlone = false,
): GatewayRequest[] {
  const alike = new Map<string, Addressee[]>();
  for (const one of addressees) {
    const { data } = one.pusher;
    if (event === undefined && !wantsBadge(one.pusher)) continue;
    const key = JSON.stringify([
      data['format'] === 'event_id_only',
      wantsBadge(one.pusher),
      isAlone && pusherKey(one.pusher),
    ]);
    alike.set(key, [...(alike.get(key) ?? []), one]);
  }
  return [...alike.values()].map((some) => ({
    body: { notification: formatOne(event, some, unread) },
    pushers: some.map(({ pusher }) => pusher),
  }));
}

function wantsBadge({ data }: PusherSet): boolean {
  return data[WITHOUT_BADGE] !== true;
}

function formatOne(event: PushedEvent | undefined, some: readonly Addressee[], unread: number): JsonObject {
  const { pusher } = some[0]!; // a group has one at least
  const isShort = pusher.data['format'] === 'event_id_only';
  // "Counts whose value is zero should be omitted": but it is by this number that a badge goes, and gateways rely on it.
  const counts = wantsBadge(pusher) ? { counts: { unread } } : {};
  const devices = some.map((one) => deviceOf(one, event !== undefined && !isShort));
  if (event === undefined) return { prio: 'low', ...counts, devices };
  const { eventId: event_id, roomId: room_id } = event;
  const prio = isUrgent(event, some) ? 'high' : 'low';
  if (isShort) return { event_id, room_id, prio, ...counts, devices };
  return { id: event_id, event_id, room_id, ...detailsOf(event), prio, ...counts, devices };
}

function detailsOf(event: PushedEvent): JsonObject {
  const { type, sender, senderName, roomName, roomAlias, membership, isTarget, content } = event;
  return {
    type,
    sender,
    ...(senderName === undefined ? {} : { sender_display_name: senderName }),
    ...(roomName === undefined ? {} : { room_name: roomName }),
    ...(roomAlias === undefined ? {} : { room_alias: roomAlias }),
    ...(membership === undefined ? {} : { membership, user_is_target: isTarget === true }),
    content,
  };
}

/** "If omitted, high is assumed": what makes no sound and is no highlight need not wake a phone. */
function isUrgent({ type, membership }: PushedEvent, some: readonly Addressee[]): boolean {
  if (URGENT.has(type) || membership === 'invite') return true;
  return some.some(({ tweaks }) => tweaks['sound'] !== undefined || tweaks['highlight'] === true);
}

function deviceOf({ pusher, tweaks }: Addressee, withTweaks: boolean): JsonObject {
  const { app_id, pushkey, set_at } = pusher;
  const data = Object.fromEntries(Object.entries(pusher.data).filter(([key]) => key !== 'url'));
  return { app_id, pushkey, pushkey_ts: Math.floor(set_at / 1000), data, ...(withTweaks ? { tweaks } : {}) };
}
