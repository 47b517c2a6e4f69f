import type { CountryCode } from 'libphonenumber-js/min';
import { MatrixError } from '#kernel/matrix-error';

/** A phone number that there may be. */
export interface PhoneNumber {
  /** With the code of its country and nothing before it, as 3PIDs have it: appendices, "3PID Types". */
  readonly digits: string;
  /** Two letters; undefined where the number is of no one country. */
  readonly country: string | undefined;
}

/** Reads a phone number as people write it; undefined where it is none. */
export type ReadPhoneNumber = (text: string) => PhoneNumber | undefined;

/** No number is longer, however it is written. */
const MOST = 64;

/**
 * Reads phone numbers as they are dialled in a country (`DE`). Throws M_INVALID_PARAM for a country that is none. PERF: what is known of all countries
 * is loaded with the first request that needs it.
 */
export async function phoneReader(country: string): Promise<ReadPhoneNumber> {
  const { isSupportedCountry, parsePhoneNumberFromString } = await import('libphonenumber-js/min');
  const code = country.toUpperCase();
  if (!isSupportedCountry(code)) throw new MatrixError('M_INVALID_PARAM', 'country: must have two letters, such as DE');
  return (text) => {
    const number = text.length > MOST ? undefined : parsePhoneNumberFromString(text, code satisfies CountryCode);
    if (number?.isPossible() !== true) return undefined;
    return { digits: number.number.replace('+', ''), country: number.country };
  };
}
