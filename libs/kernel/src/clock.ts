/** Wall time in milliseconds since the epoch, for moments that are kept or told. It may jump: forward by a year, and back. */
export interface Clock {
  now(): number;
}

/** Milliseconds since some beginning of its own, for whatever lasts so long in this process: it never jumps. */
export interface Stopwatch {
  elapsed(): number;
}

export const systemClock: Clock & Stopwatch = { now: () => Date.now(), elapsed: () => performance.now() };

/** Injection token of the Clock that is a Stopwatch too. Injected wherever a rule depends on time, so that tests can move it. */
export const CLOCK = Symbol.for('annals.Clock');
