/** Wall time in milliseconds since the epoch. Injected wherever a rule depends on time, so that tests can move it. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Injection token of the Clock. */
export const CLOCK = Symbol.for('annals.Clock');
