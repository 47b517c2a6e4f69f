import { ACCOUNT_MEDIUM, findAccountAddress } from '#accounts/threepids/account-address';
import { foldMailAddress } from '#mail/mail-address';

/** Reads a phone number as people of a country write it: its digits with the country's code; undefined where it is none, or the country is not known. */
export type ReadPhone = (text: string) => string | undefined;

const PHONE = /^[1-9]\d{3,14}$/;
const MAX_PHONE = 64;

/** Whether a text is a phone number as 3PIDs have it: digits, with the country's code and nothing before it. */
export const isCanonicalPhone = (text: string): boolean => PHONE.test(text);

/**
 * An address of a medium in its canonical form (appendices, "3PID Types"), as people write it in address books; undefined where it is none. What
 * no look-up could find is none.
 */
export function findAddress(medium: string, text: string, readPhone: ReadPhone): string | undefined {
  if (medium === 'email') return foldMailAddress(text);
  if (medium === ACCOUNT_MEDIUM) return findAccountAddress(text) === undefined ? undefined : text;
  if (medium !== 'msisdn' || text.length > MAX_PHONE) return undefined;
  const international = /^(?:\+|00)(\d+)$/.exec(text.replaceAll(/[\s().\-/\u2010-\u2015]/g, ''))?.[1];
  if (international === undefined) return readPhone(text);
  return isCanonicalPhone(international) ? international : undefined;
}
