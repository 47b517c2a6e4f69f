import { foldMailAddress } from '#mail/mail-address';
import { MatrixError } from '#kernel/matrix-error';

export const MEDIA = ['email', 'msisdn'] as const;
export type Medium = (typeof MEDIA)[number];

/** A third-party identifier: a mail address in small letters, or a phone number as digits with its country's code (appendices, "3PID Types"). */
export interface Threepid {
  readonly medium: Medium;
  readonly address: string;
}

const PHONE_NUMBER = /^[1-9]\d{3,14}$/;

/** As it is kept and compared: who types an address in capitals has the same one. Undefined where it is none, or of a medium that nobody knows. */
export function findThreepid(medium: string, address: string): Threepid | undefined {
  if (medium === 'msisdn') {
    const digits = address.replace(/^\+/, '');
    return PHONE_NUMBER.test(digits) ? { medium, address: digits } : undefined;
  }
  if (medium !== 'email') return undefined;
  const folded = foldMailAddress(address);
  return folded === undefined ? undefined : { medium, address: folded };
}

/** As `findThreepid`. Throws M_INVALID_PARAM. */
export function parseThreepid(medium: string, address: string): Threepid {
  const threepid = findThreepid(medium, address);
  if (threepid === undefined) throw new MatrixError('M_INVALID_PARAM', `This is no address of the medium ${medium}`);
  return threepid;
}

/** Whether both are one. */
export function isSameThreepid(one: Threepid, other: Threepid): boolean {
  return one.medium === other.medium && one.address === other.address;
}

/** What tells it from all others. */
export const threepidKey = ({ medium, address }: Threepid): string => `${medium} ${address}`;
