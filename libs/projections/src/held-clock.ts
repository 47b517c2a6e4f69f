import { Aggregates } from '#event-store/aggregates';
import { type EventStore, type NewFact } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import type { Clock } from '#kernel/clock';
import { CLOCK_STREAM, type ClockFacts } from './clock-facts.js';
import type { ProjectionLog } from './runtime-parts.js';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
/** How often it is noted what the clock says. */
const NOTED_MS = 6 * HOUR_MS;
/** A clock that says what it said for so long is believed. */
const HELD_MS = DAY_MS;
/** What was noted within so long shows that the clock has gone on, and not jumped: nobody is away for longer but now and then. */
const GONE_ON_MS = 8 * DAY_MS;
/** By so much what was noted may be ahead: other processes have clocks of their own, and a note takes a moment. */
const APART_MS = 60_000;
/** So many are remembered, which is longer than that; what is before them goes from the log. */
const REMEMBERED = 64;

const READ: keyof ClockFacts = 'clock-read';
const ACCEPTED: keyof ClockFacts = 'clock-accepted';

/** What is told by a clock of which it is known whether it can be right. */
export interface HeldClock {
  /** The time, where it has surely come; 0 where the clock may have jumped ahead: by that nothing is over. In milliseconds since the epoch. */
  now(): number | Promise<number>;
}

/** Injection token of the HeldClock: for whoever destroys, because of the time alone, what nobody can bring back. */
export const HELD_CLOCK = Symbol.for('annals.HeldClock');

/**
 * Whether a clock has held, by what it said before, as the log has it in its order: for a day at least, or since the log knows of it at all. One that has jumped ahead, by
 * more than a week, has not, until it has said that for a day; and so has not one of a server that was off for longer than that. What it said to be yet to come does not count, nor
 * what it took back since: a machine whose clock stands ahead at each of its starts would say a day later what it had said then.
 */
export function hasHeld(said: readonly number[], now: number): boolean {
  return heldFrom(said, now) <= now;
}

/** From when on it has, where it goes on as it does, in milliseconds since the epoch. */
function heldFrom(said: readonly number[], now: number): number {
  let lowest = now + APART_MS - HELD_MS;
  const before = said.toReversed().filter((at) => {
    lowest = Math.min(lowest, at);
    return at <= lowest + HELD_MS;
  });
  const recent = before.filter((at) => at >= now - GONE_ON_MS);
  if (recent.length > 0 && recent.length === before.length) return now;
  return Math.min(now, ...recent) + HELD_MS;
}

/** What the clock has said, after a fact of its stream. Once an operator says that it is right, nothing counts that it said before. */
function evolve(
  said: readonly number[],
  { type, metadata: { at } }: Pick<NewFact, 'type' | 'metadata'>,
): readonly number[] {
  return type === ACCEPTED ? [at] : [...said, at].slice(-REMEMBERED);
}

/** From when on a clock is believed that says `now`, as the log has it; undefined where that knows of none yet. Notes nothing. */
export async function findHeldFrom(store: Pick<EventStore, 'readStream'>, now: number): Promise<number | undefined> {
  let said: readonly number[] = [];
  for await (const fact of store.readStream(CLOCK_STREAM)) said = evolve(said, fact);
  return said.length === 0 ? undefined : heldFrom(said, now);
}

/**
 * The system's clock, for what cannot be taken back: a machine whose clock stands years ahead for an hour (a battery that is empty, a wrong answer of a time server) is not to
 * destroy all that would be over by then. What the clock says is noted in the log, which every process and every later start knows.
 */
export class NotedClock implements HeldClock {
  readonly #said: Aggregates<readonly number[]>;
  #isHeld = true;

  constructor(
    private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly log: Pick<ProjectionLog, 'info' | 'warn'>,
  ) {
    this.#said = new Aggregates({ store, clock, capacity: 1, initialState: [], evolve });
  }

  /** Whether it was believed when it was asked for last. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** What operators should know, where it was not. */
  get warning(): string | undefined {
    return this.#isHeld
      ? undefined
      : 'the clock may have jumped ahead: nothing is destroyed for its age (see "annals doctor")';
  }

  /** See HeldClock. Notes now and then what it says; throws where the log is away. */
  async now(): Promise<number> {
    const now = this.clock.now();
    const isNoted = (said: readonly number[]): boolean =>
      said.some((at) => at <= now + APART_MS && at > now - NOTED_MS);
    const { state, facts, revision } = await this.#said.execute(
      CLOCK_STREAM,
      (said) => (isNoted(said) ? [] : [draftOf({ type: READ, data: {} })]),
      { actor: 'server' },
    );
    const last = typeof revision === 'number' ? revision : 0;
    // What is left where the log is away just now goes with the next one.
    if (facts.length > 0 && last >= REMEMBERED) await this.store.truncate(CLOCK_STREAM, last - REMEMBERED + 1).catch(() => {}); // prettier-ignore
    this.#tell(heldFrom(state, now), now);
    return this.#isHeld ? now : 0;
  }

  /** Has it believed at once, because an operator says that it is right. Answers false where it is already. Throws where the log is away. */
  async accept(): Promise<boolean> {
    const { facts } = await this.#said.execute(
      CLOCK_STREAM,
      (said) => (hasHeld(said, this.clock.now()) ? [] : [draftOf({ type: ACCEPTED, data: {} })]),
      { actor: 'server' },
    );
    await this.now();
    return facts.length > 0;
  }

  /** Once each time. */
  #tell(from: number, now: number): void {
    const isHeld = from <= now;
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    if (isHeld) this.log.info('The clock is believed: what is over by it is destroyed again');
    else this.log.warn(`The clock says ${timeOf(now)}, and the log knows nothing of the week before: nothing is destroyed for its age until ${timeOf(from)}. Put it right if it is wrong; where it is right, "annals clock accept" has it believed at once`); // prettier-ignore
  }
}

const timeOf = (at: number): string => (Number.isFinite(at) ? new Date(at).toISOString() : String(at));
