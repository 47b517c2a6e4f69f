import type { NewFact } from '#event-store/event-store';
import type { DeviceId } from '#kernel/ids';
import type { DelayedEventFact, DelayEnd, DelayEnded, EventDelayed } from '../facts/delayed-event-facts.js';

/** A delayed event as it is known: what is to be sent, since when its time is counted, and what became of it. */
export interface Delay {
  readonly event: DelayEnded['event'];
  readonly end?: DelayEnd;
}

/** One that is still to be sent. */
export interface ScheduledDelay {
  readonly event: EventDelayed;
  readonly end?: undefined;
}

/** What a user has sent later, by delay id, in the order in which it was scheduled or ended. */
export type KnownDelays = ReadonlyMap<string, Delay>;

export const NO_DELAYS: KnownDelays = new Map();

/** How long it is told what became of a delayed event, in milliseconds, and of how many of a user ("Retention of finalised delayed events"). */
export const ENDED_KEPT_MS = 7 * 24 * 60 * 60_000;
export const ENDED_KEPT = 100;

export const isScheduled = (delay: Delay | undefined): delay is ScheduledDelay =>
  delay !== undefined && delay.end === undefined;

/** When it is to be sent, in milliseconds since the epoch. */
export const dueOf = ({ event }: Pick<Delay, 'event'>): number => event.running_since + event.delay;

/** The delays as of a fact of their stream. */
export function foldDelayFact(delays: KnownDelays, { type, data }: Pick<NewFact, 'type' | 'data'>): KnownDelays {
  // Only this library writes these types: their data has the shape that DelayedEventFact gives.
  return evolveDelays(delays, { type, data: JSON.parse(data) as unknown } as DelayedEventFact);
}

/** The delays after one more fact. */
export function evolveDelays(delays: KnownDelays, { type, data }: DelayedEventFact): KnownDelays {
  if (type === 'delayed-events-ended') return NO_DELAYS;
  const after = new Map(delays);
  const before = delays.get(data.delay_id);
  if (type === 'event-delayed') {
    // Said again behind a restart, or behind its end: those hold.
    if (before === undefined) after.set(data.delay_id, { event: data });
    return after;
  }
  if (type === 'delay-restarted') {
    if (isScheduled(before)) {
      after.set(data.delay_id, { event: { ...before.event, running_since: data.running_since } });
    }
    return after;
  }
  const { delay_id: id, event, outcome, reason, ended_at, event_id, error } = data;
  after.delete(id);
  after.set(id, { event, end: { outcome, reason, ended_at, event_id, error } });
  return forgetOld(after, ended_at);
}

/** Without what ended long before a moment, and without the oldest where too many have. */
function forgetOld(delays: Map<string, Delay>, now: number): Map<string, Delay> {
  const ended = [...delays].filter(([, { end }]) => end !== undefined);
  ended.forEach(([id, { end }], i) => {
    if (end!.ended_at < now - ENDED_KEPT_MS || i < ended.length - ENDED_KEPT) delays.delete(id);
  });
  return delays;
}

/** The delay that a client's transaction has scheduled. */
export function findByTransaction(
  delays: KnownDelays,
  { room_id: roomId, type, txn }: Pick<EventDelayed, 'room_id' | 'type' | 'txn'>,
): Delay | undefined {
  if (txn === undefined) return undefined;
  const isSame = (other: { device_id: DeviceId; txn_id: string } | undefined): boolean =>
    other?.device_id === txn.device_id && other.txn_id === txn.txn_id;
  return [...delays.values()].find(({ event }) => event.room_id === roomId && event.type === type && isSame(event.txn));
}
