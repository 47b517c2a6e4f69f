import type { NewFact, RecordedFact } from '#event-store/event-store';
import type { DeviceId } from '#kernel/ids';
import type {
  DelayDelegated,
  DelayedEventFact,
  Delegation,
  DelayEnd,
  DelayEnded,
  DelayRestarted,
  EventDelayed,
} from '../facts/delayed-event-facts.js';

/** A delayed event as it is known: what is to be sent, since when its time is counted, and what became of it. */
export interface Delay {
  readonly event: DelayEnded['event'];
  readonly end?: DelayEnd;
  readonly delegation?: Delegation;
}

/** One that is still to be sent. */
export interface ScheduledDelay {
  readonly event: EventDelayed;
  readonly end?: undefined;
  /** Where it is a hang-up that is looked after here. */
  readonly delegation?: Delegation;
}

/** What a user has sent later, by delay id, in the order in which it was scheduled or ended. */
export type KnownDelays = ReadonlyMap<string, Delay>;

export const NO_DELAYS: KnownDelays = new Map();

/**
 * How long it is told what became of a delayed event, in milliseconds, and of how many of a user ("Retention of finalised delayed events"). What is beyond that number is
 * forgotten for good; for its age alone nothing is that nobody can bring back, but where the clock has surely come so far (`listOverDelays`).
 */
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
      after.set(data.delay_id, { ...before, event: { ...before.event, running_since: data.running_since } });
    }
    return after;
  }
  if (type === 'delay-delegated') {
    const { delay_id: id, ...delegation } = data;
    for (const [other, delay] of delays) {
      if (isOfSame(delay.delegation, delegation)) after.set(other, { ...delay, delegation: undefined });
    }
    if (isScheduled(before)) after.set(id, { ...before, delegation });
    return after;
  }
  const { delay_id: id, event, outcome, reason, ended_at, nth, event_id, error } = data;
  after.delete(id);
  after.set(id, { event, end: { outcome, reason, ended_at, nth, event_id, error } });
  return forgetOld(after);
}

/** Whether both are of one membership in one call. */
export function isOfSame(one: Delegation | undefined, { room, identity }: Omit<Delegation, 'since'>): boolean {
  return one?.room === room && one.identity === identity;
}

/** Without the oldest of what ended where that is too much: the same of whatever ended, in whichever order that is heard of. */
function forgetOld(delays: Map<string, Delay>): Map<string, Delay> {
  const ended = [...delays].flatMap(([id, { end }]) => (end === undefined ? [] : [endedOf(id, end)]));
  for (const id of findOld(ended)) delays.delete(id);
  return delays;
}

/** A delayed event that has ended. */
export interface EndedDelay {
  readonly id: string;
  readonly at: number;
  /** As of DelayEnd. */
  readonly nth?: number;
}

export const endedOf = (id: string, { ended_at: at, nth }: Pick<DelayEnd, 'ended_at' | 'nth'>): EndedDelay => ({
  id,
  at,
  ...(nth === undefined ? {} : { nth }),
});

/**
 * Which of a user's delayed events that have ended are too many to be known: those that ended first. By no time: one may have ended while the clock was years ahead. Nor by
 * where they stand in the log: what is over is said again there.
 */
export function findOld(ended: readonly EndedDelay[]): string[] {
  // Older facts say by the clock alone when that was. Of those that ended in the same millisecond one order is as good as the other, as long as it is the same everywhere.
  const newestFirst = ended.toSorted((a, b) => (b.nth ?? 0) - (a.nth ?? 0) || b.at - a.at || (a.id < b.id ? 1 : -1));
  return newestFirst.slice(ENDED_KEPT).map(({ id }) => id);
}

/** Of which facts of a stream only the last one counts, by what they are called. */
export function nameOfDelayFact({ type, data }: Pick<RecordedFact, 'type' | 'data'>): string {
  if (type === ('delayed-events-ended' satisfies DelayedEventFact['type'])) return '';
  if (type === ('delay-delegated' satisfies DelayedEventFact['type'])) {
    const to = JSON.parse(data) as DelayDelegated;
    return `${to.delay_id} ${membershipOf(to)}`;
  }
  const { delay_id: id } = JSON.parse(data) as DelayRestarted;
  return type === ('delay-restarted' satisfies DelayedEventFact['type']) ? restartOf(id) : id;
}

const restartOf = (id: string): string => `${id} restarted`;
const membershipOf = ({ room, identity }: DelayDelegated): string => `${room} ${identity}`;

/**
 * Which of those do not count any more either, by name: of what ended that which is too much, and all restarts and delegations; and of the delegations of one
 * event, and of one membership, all but the last.
 */
export function findOverDelays(counting: ReadonlyMap<string, Pick<RecordedFact, 'type' | 'data'>>): string[] {
  const ended = [...counting].flatMap(([id, { type, data }]) =>
    type === ('delay-ended' satisfies DelayedEventFact['type']) ? [endedOf(id, JSON.parse(data) as DelayEnded)] : [],
  );
  const over = new Set(ended.map(({ id }) => id));
  const delegated = [...counting].flatMap(([name, { type, data }]) =>
    type === ('delay-delegated' satisfies DelayedEventFact['type'])
      ? [{ name, to: JSON.parse(data) as DelayDelegated }]
      : [],
  );
  const last = new Map<string, string>();
  for (const { name, to } of delegated) last.set(to.delay_id, name).set(membershipOf(to), name);
  const delegations = delegated.flatMap(({ name, to }) =>
    over.has(to.delay_id) || last.get(to.delay_id) !== name || last.get(membershipOf(to)) !== name ? [name] : [],
  );
  return [...findOld(ended), ...ended.map(({ id }) => restartOf(id)), ...delegations];
}

/** Whether it is still told: what ended is for some days. */
export const isTold = ({ end }: Delay, now: number): boolean =>
  end === undefined || end.ended_at >= now - ENDED_KEPT_MS;

/** The delay that a client's transaction has scheduled, as long as it is told. */
export function findByTransaction(
  delays: KnownDelays,
  { room_id: roomId, type, txn, running_since: now }: Pick<EventDelayed, 'room_id' | 'type' | 'txn' | 'running_since'>,
): Delay | undefined {
  if (txn === undefined) return undefined;
  const isSame = (other: { device_id: DeviceId; txn_id: string } | undefined): boolean =>
    other?.device_id === txn.device_id && other.txn_id === txn.txn_id;
  return [...delays.values()].find(
    (delay) =>
      delay.event.room_id === roomId && delay.event.type === type && isSame(delay.event.txn) && isTold(delay, now),
  );
}
