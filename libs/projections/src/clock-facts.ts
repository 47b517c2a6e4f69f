import type { Upcast } from '#event-store/fact-shapes';

/** The stream in which the server notes now and then what its clock says. Kept short: the last weeks are enough. */
export const CLOCK_STREAM = 'clock';

/**
 * `clock-read`: when, is in its metadata, as of all facts. `clock-accepted`: an operator says that the clock is right, whatever it said before. `NotedClock` decides and
 * reads.
 */
export interface ClockFacts {
  'clock-read': Record<string, never>;
  'clock-accepted': Record<string, never>;
}

/** How old shapes of these facts become today's. */
export const CLOCK_SHAPES: Readonly<Record<keyof ClockFacts, readonly Upcast[]>> = {
  'clock-read': [],
  'clock-accepted': [],
};
