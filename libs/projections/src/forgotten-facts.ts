import type { Upcast } from '#event-store/fact-shapes';

/** The stream in which the server notes up to where the log has forgotten what took rows away. Kept short: its last fact says all of it. */
export const FORGOTTEN_STREAM = 'forgotten';

/**
 * `removals-forgotten`: of what would take rows of these projections away, the log is about to forget some, up to these places at most (as LogHistory
 * writes them). All that served, or was being filled, had passed them by then: what has not is a copy from before.
 */
export interface RemovalsForgotten {
  readonly up_to: Readonly<Record<string, string>>;
}

/** How old shapes of these facts become today's. */
export const FORGOTTEN_SHAPES: Readonly<Record<'removals-forgotten', readonly Upcast[]>> = { 'removals-forgotten': [] };
