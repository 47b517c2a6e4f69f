import { CliFailure } from '../failure.js';

/** The moment that an option was given, in milliseconds since the epoch. Throws CliFailure where it is none. */
export function parseMoment(option: string, text: string): number {
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new CliFailure(`${option}: ${text} is no moment such as 2026-11-02 or 2026-11-02T08:00Z`);
  return at;
}
