/** Injection token of an AbortSignal that aborts when the server begins to drain: long polls answer at once. */
export const SHUTDOWN = Symbol.for('annals.Shutdown');
