import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Digest, DigestRoom } from './digest.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Each mail that tells of a room again waits so many times longer than the one before, and a day at most. */
const GROWTH = 6;
const MOST_WAIT_MS = DAY_MS;
/** Once nothing notified for so long in a room, it is told of as if it were for the first time. */
const QUIET_MS = 12 * HOUR_MS;
/** Whoever makes rooms in order to have mails sent has no more sent than that in a day. */
const MOST_A_DAY = 24;
/** Of so many rooms it is known when they were told of. */
const MOST_ROOMS = 50;
const RETRY_MS = 5 * MINUTE_MS;
const MOST_RETRY_MS = 6 * HOUR_MS;
/** So often a mail is tried that the mail server does not take now: that takes two days. */
const MOST_TRIES = 15;
/** Nobody is mailed any more whose mail server has refused so many mails in a row, over so long: it may be a mistake of an hour. */
const MOST_REFUSED = 3;
const REFUSED_FOR_MS = DAY_MS;

/** What of a room is unread and was not mailed. */
export interface FreshRoom {
  readonly roomId: RoomId;
  /** When the first and the last of it came, in milliseconds since the epoch. */
  readonly firstAt: number;
  readonly newestAt: number;
  /** Where the last of it stands. */
  readonly upTo: Position;
}

/** What is to be done about what is unread. */
export type DigestVerdict = { readonly is: 'nothing' | 'due' } | { readonly is: 'waiting'; readonly until: number };

/** Whether what stands at a place is told by mails, and was not. */
export function isUntold({ from, up_to: upTo }: Digest, position: Position): boolean {
  if (upTo !== undefined) return position > upTo;
  return from !== undefined && position >= from;
}

/** Something of a room at a place notifies the user now. undefined where that changes nothing. */
export function noteUnread(
  digest: Digest,
  { roomId, position, now }: { readonly roomId: RoomId; readonly position: Position; readonly now: number },
  afterMs: number,
): Digest | undefined {
  const { due_at: dueAt, from, up_to: upTo } = digest;
  // What is looked at next after a mail that is on its way is settled once that was taken.
  if (digest.mailing !== undefined || (upTo !== undefined && position <= upTo)) return undefined;
  const readyAt = readyAtOf(digest, { roomId, firstAt: now }, afterMs);
  const isFirst = upTo === undefined && (from === undefined || position < from);
  if (dueAt !== undefined && dueAt <= readyAt && !isFirst) return undefined;
  const due = { due_at: dueAt === undefined ? readyAt : Math.min(dueAt, readyAt) };
  return { ...digest, ...(isFirst ? { from: position } : {}), ...due };
}

/** Whether a mail is to be sent: once something of a room has been unread for long enough, and the last mail that told of that room is long enough ago. */
export function judgeDigest(digest: Digest, rooms: readonly FreshRoom[], now: number, afterMs: number): DigestVerdict {
  if (rooms.length === 0) return { is: 'nothing' };
  const until = Math.min(...rooms.map((room) => readyAtOf(digest, room, afterMs)));
  return until > now ? { is: 'waiting', until } : { is: 'due' };
}

/** A mail is about to be handed over. It tells of all that is unread. */
export function beginMail(digest: Digest, rooms: readonly FreshRoom[], now: number): Digest {
  const upTo = rooms.map((room) => room.upTo).reduce((a, b) => (a > b ? a : b));
  return { ...digest, due_at: now, mailing: { up_to: upTo, at: now, tries: 0 } };
}

/** It was not taken, and is tried again later; undefined where that was done often enough. */
export function failMail(digest: Digest, now: number): Digest | undefined {
  const { mailing } = digest;
  if (mailing === undefined || mailing.tries + 1 >= MOST_TRIES) return undefined;
  const wait = Math.min(RETRY_MS * 2 ** mailing.tries, MOST_RETRY_MS);
  return { ...digest, due_at: now + wait, mailing: { ...mailing, tries: mailing.tries + 1 } };
}

/** How a mail ended. */
export interface EndOfMail {
  readonly now: number;
  readonly afterMs: number;
  /** When to look whether something came meanwhile, if that may be. */
  readonly lookAt: number | undefined;
  /** It was refused for good, because of who it was to. */
  readonly isRefused?: boolean;
}

/** A mail told of these rooms, or was to; of none: all of it was read before. */
export function endMail(
  digest: Digest,
  rooms: readonly FreshRoom[],
  { now, afterMs, lookAt, isRefused = false }: EndOfMail,
): Digest {
  const { mailing, due_at: _, from: _from, refused, ...before } = digest;
  const told = rooms.map((room): DigestRoom => {
    const last = roomOf(digest, room.roomId);
    const wait =
      last === undefined || isQuiet(last, room.firstAt) ? afterMs : Math.min(last.wait_ms * GROWTH, MOST_WAIT_MS);
    return { room_id: room.roomId, mailed_at: now, wait_ms: wait, newest_at: room.newestAt };
  });
  const names = new Set(told.map(({ room_id: roomId }) => roomId));
  const others = (digest.rooms ?? []).filter((room) => !names.has(room.room_id) && !isForgettable(room, now));
  return {
    ...before,
    ...(mailing === undefined ? {} : { up_to: mailing.up_to }),
    ...(lookAt === undefined ? {} : { due_at: lookAt }),
    rooms: [...others, ...told].slice(-MOST_ROOMS),
    ...(told.length === 0 ? {} : { day: dayAfter(digest, now) }),
    ...(isRefused ? { refused: { mails: (refused?.mails ?? 0) + 1, since: refused?.since ?? now } } : {}),
    ...(told.length === 0 && refused !== undefined ? { refused } : {}),
  };
}

/** Whether nobody is reached by these mails: all have been refused for long enough. */
export function isUnreachable({ refused }: Digest, now: number): boolean {
  return refused !== undefined && refused.mails >= MOST_REFUSED && now - refused.since >= REFUSED_FOR_MS;
}

/** When to look again; undefined: once something notifies the user. */
export function lookAgain(digest: Digest, at: number | undefined): Digest {
  const { due_at: _, ...rest } = digest;
  return at === undefined ? rest : { ...rest, due_at: at };
}

/** What remains where the pusher was switched off: it begins anew, but for how often the user was mailed. */
export function suspendDigest({ rooms, day }: Digest): Digest {
  return { ...(rooms === undefined ? {} : { rooms }), ...(day === undefined ? {} : { day }) };
}

function readyAtOf(
  digest: Digest,
  { roomId, firstAt }: Pick<FreshRoom, 'roomId' | 'firstAt'>,
  afterMs: number,
): number {
  const last = roomOf(digest, roomId);
  const throttled = last === undefined || isQuiet(last, firstAt) ? 0 : last.mailed_at + last.wait_ms;
  const { day } = digest;
  const nextDay = day !== undefined && day.mails >= MOST_A_DAY ? day.from + DAY_MS : 0;
  return Math.max(firstAt + afterMs, throttled, nextDay);
}

function roomOf({ rooms = [] }: Digest, roomId: RoomId): DigestRoom | undefined {
  return rooms.find((room) => room.room_id === roomId);
}

const isQuiet = ({ newest_at: newestAt }: DigestRoom, at: number): boolean => at - newestAt > QUIET_MS;

/** Whatever comes there now is told as if it were for the first time. */
const isForgettable = (room: DigestRoom, now: number): boolean =>
  isQuiet(room, now) && room.mailed_at + room.wait_ms <= now;

function dayAfter({ day }: Digest, now: number): NonNullable<Digest['day']> {
  return day === undefined || now - day.from >= DAY_MS ? { from: now, mails: 1 } : { ...day, mails: day.mails + 1 };
}
