import { ACCOUNT_MEDIUM, findAccountAddress } from '#accounts/threepids/account-address';
import { findThreepid } from '#accounts/threepids/threepid';

/** Reads a phone number as people of a country write it: its digits with the country's code; undefined where it is none, or the country is not known. */
export type ReadPhone = (text: string) => string | undefined;

const MAX_PHONE = 64;

/**
 * An address of a medium in its canonical form (appendices, "3PID Types"), as people write it in address books; undefined where it is none. What
 * no look-up could find is none.
 */
export function findAddress(medium: string, text: string, readPhone: ReadPhone): string | undefined {
  if (medium === ACCOUNT_MEDIUM) return findAccountAddress(text) === undefined ? undefined : text;
  if (medium !== 'msisdn') return findThreepid(medium, text)?.address;
  if (text.length > MAX_PHONE) return undefined;
  const international = /^(?:\+|00)(\d+)$/.exec(text.replaceAll(/[\s().\-/\u2010-\u2015]/g, ''))?.[1];
  return international === undefined ? readPhone(text) : findThreepid(medium, international)?.address;
}

/** As `find` has it, of an address that may have its canonical form: a phone number of digits alone begins with the code of its country then. */
export function findSaidAddress(
  medium: string,
  text: string,
  find: (medium: string, text: string) => string | undefined,
): string | undefined {
  return findThreepid(medium, text)?.address === text ? text : find(medium, text);
}
