import type { CountryCode } from 'libphonenumber-js/min';
import { MatrixError } from '#kernel/matrix-error';
import type { ReadPhone } from './decide/find-address.js';

/**
 * Reads phone numbers as people of a country write them (`DE`); without a country those alone that name theirs. Throws M_INVALID_PARAM for a country that
 * is none. PERF: what is known of all countries is loaded with the first request that needs it.
 */
export async function phoneReader(country: string | undefined): Promise<ReadPhone> {
  if (country === undefined) return () => undefined;
  const { isSupportedCountry, parsePhoneNumberFromString } = await import('libphonenumber-js/min');
  const code = country.toUpperCase();
  if (!isSupportedCountry(code)) throw new MatrixError('M_INVALID_PARAM', 'country: must have two letters, such as DE');
  return (text) => readPhone(parsePhoneNumberFromString(text, code satisfies CountryCode));
}

function readPhone(number: { isPossible(): boolean; readonly number: string } | undefined): string | undefined {
  return number?.isPossible() === true ? number.number.replace('+', '') : undefined;
}
