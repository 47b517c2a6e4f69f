import { randomInt } from 'node:crypto';

const DIGITS = 8;

/** A code that somebody types in: nobody guesses it in the few tries there are. */
export const makeCode = (): string => String(randomInt(10 ** DIGITS)).padStart(DIGITS, '0');
