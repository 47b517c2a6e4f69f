import { MatrixError } from '#kernel/matrix-error';
import type { RoomId } from '#kernel/ids';
import type { DelayedEventFact, DelayEnd, Delegation, EventDelayed } from '../facts/delayed-event-facts.js';
import {
  dueOf,
  findByTransaction,
  isOfSame,
  isScheduled,
  isTold,
  type KnownDelays,
  type ScheduledDelay,
} from './known-delays.js';

/** How much a user may have scheduled at once: how many events, and bytes of their contents. As much is kept of contents that were never sent. */
export const MOST_SCHEDULED = 100;
export const MOST_SCHEDULED_BYTES = 1024 * 1024;

/** No event waits for longer, in milliseconds. */
export const MAX_DELAY_MS = 30 * 24 * 60 * 60_000;

/** No shorter one is looked after: it would be sent between two looks, in milliseconds. MSC4195 leaves that to servers. */
export const LEAST_DELEGATED_MS = 10_000;

/**
 * Schedules an event. Nothing where its transaction has done so. Throws M_LIMIT_EXCEEDED, with the time until the next of the user's is
 * sent, where they have too many.
 */
export function decideDelay(delays: KnownDelays, event: EventDelayed): DelayedEventFact[] {
  if (findByTransaction(delays, event) !== undefined) return [];
  const waiting = [...delays.values()].filter(isScheduled);
  const bytes = waiting.reduce((sum, other) => sum + sizeOf(other.event), sizeOf(event));
  if (waiting.length >= MOST_SCHEDULED || bytes > MOST_SCHEDULED_BYTES) {
    const next = waiting.reduce((least, other) => Math.min(least, dueOf(other)), Infinity);
    const wait = Math.max(1_000, Number.isFinite(next) ? next - event.running_since : 1_000);
    throw new MatrixError('M_LIMIT_EXCEEDED', 'You have too much scheduled', { fields: { retry_after_ms: wait } });
  }
  return [{ type: 'event-delayed', data: event }];
}

const sizeOf = ({ content = '' }: { readonly content?: string }): number => Buffer.byteLength(content);

/** Counts the time of an event anew. Throws M_NOT_FOUND where there is none, and M_UNKNOWN with status 409 where it has ended. */
export function decideRestart(delays: KnownDelays, delayId: string, now: number, seen?: number): DelayedEventFact[] {
  const delay = delays.get(delayId);
  if (!isScheduled(delay)) throw refusalOf(delay?.end);
  return [{ type: 'delay-restarted', data: { delay_id: delayId, running_since: now, seen } }];
}

/**
 * Has a hang-up looked after. Nothing where it is already. Throws M_INVALID_PARAM where there is no such event of that room that waits, or its
 * time is too short to look after it.
 */
export function decideDelegation(
  delays: KnownDelays,
  delayId: string,
  roomId: RoomId,
  delegation: Delegation,
): DelayedEventFact[] {
  const delay = delays.get(delayId);
  if (!isScheduled(delay) || delay.event.room_id !== roomId) {
    throw new MatrixError('M_INVALID_PARAM', 'delay_id: no such delayed event of yours in this room');
  }
  if (delay.event.delay < LEAST_DELEGATED_MS) {
    throw new MatrixError('M_INVALID_PARAM', `delay_id: it has to wait for ${LEAST_DELEGATED_MS} ms at least`);
  }
  if (isOfSame(delay.delegation, delegation)) return [];
  return [{ type: 'delay-delegated', data: { delay_id: delayId, ...delegation } }];
}

/** Lets an event never be sent. Nothing where it is so already. Throws as `decideRestart` where it was sent. */
export function decideCancel(delays: KnownDelays, delayId: string, now: number): DelayedEventFact[] {
  const delay = delays.get(delayId);
  if (delay?.end !== undefined && delay.end.outcome !== 'send') return [];
  if (!isScheduled(delay)) throw refusalOf(delay?.end);
  return ended(delays, delay, { outcome: 'cancel', reason: 'action', ended_at: now });
}

/** Notes what became of an event. Nothing where that is known, whatever it was. */
export function decideEnd(delays: KnownDelays, delayId: string, end: Omit<DelayEnd, 'nth'>): DelayedEventFact[] {
  const delay = delays.get(delayId);
  if (!isScheduled(delay)) return [];
  return ended(delays, delay, end);
}

/** With the content of what was not sent, unless that of others comes to too much already. */
function ended(delays: KnownDelays, { event }: ScheduledDelay, end: Omit<DelayEnd, 'nth'>): DelayedEventFact[] {
  const { content, ...rest } = event;
  const told = [...delays.values()].filter((other) => !isScheduled(other) && isTold(other, end.ended_at));
  const others = told.reduce((sum, other) => sum + sizeOf(other.event), 0);
  const isKept = end.outcome !== 'send' && others + sizeOf(event) <= MOST_SCHEDULED_BYTES;
  const data = { delay_id: event.delay_id, ...end, nth: nextNth(delays), event: isKept ? { ...rest, content } : rest };
  return [{ type: 'delay-ended', data }];
}

/** The one that ended last is always known. */
function nextNth(delays: KnownDelays): number {
  return [...delays.values()].reduce((most, { end }) => Math.max(most, end?.nth ?? 0), 0) + 1;
}

/** Why nothing can be done with an event that has ended, or that there is none. */
export function refusalOf(end: DelayEnd | undefined): MatrixError {
  if (end === undefined) return new MatrixError('M_NOT_FOUND', 'No such delayed event');
  return new MatrixError('M_UNKNOWN', end.outcome === 'send' ? 'It was sent' : 'It was cancelled', { status: 409 });
}
