import { CliFailure } from '../failure.js';

/** The whole number, 0 or more, that an option was given. Throws CliFailure where it is none. */
export function parseNumber(option: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new CliFailure(`${option}: a whole number is needed, not "${text}"`);
  return Number(text);
}
