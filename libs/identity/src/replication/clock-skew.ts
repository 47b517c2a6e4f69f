/** The clocks of identity servers that trust each other differ, but not by more, in milliseconds. */
export const MOST_SKEW_MS = 5 * 60_000;
