import { foldMailAddress } from '#mail/mail-address';
import { type Errcode, MatrixError } from '#kernel/matrix-error';

const PHONE_NUMBER = /^\+?([1-9]\d{3,14})$/;

/** What there is to know of a medium. How addresses of it are shown to be somebody's is in `MailValidation` and `PhoneValidation`. */
interface MediumRules {
  /** An address as it is kept and compared: who types one in capitals has the same one. Undefined where it is none. */
  readonly fold: (address: string) => string | undefined;
  /** What is answered to what is none. */
  readonly refusal: Errcode;
  /** What people call it. */
  readonly called: string;
  /** As people read it. */
  readonly write: (address: string) => string;
}

const foldPhone = (number: string): string | undefined => PHONE_NUMBER.exec(number)?.[1];

export const MEDIA = Object.freeze({
  email: { fold: foldMailAddress, refusal: 'M_INVALID_EMAIL', called: 'address', write: (address) => address },
  msisdn: { fold: foldPhone, refusal: 'M_INVALID_ADDRESS', called: 'phone number', write: (digits) => `+${digits}` },
} as const satisfies Record<string, MediumRules>);
export type Medium = keyof typeof MEDIA;

export const isMedium = (text: string): text is Medium => Object.hasOwn(MEDIA, text);

/** A third-party identifier: a mail address in small letters, or a phone number as digits with its country's code (appendices, "3PID Types"). */
export interface Threepid {
  readonly medium: Medium;
  readonly address: string;
}

/** In the form in which it is kept; undefined where it is none, or of a medium that nobody knows. */
export function findThreepid(medium: string, address: string): Threepid | undefined {
  if (!isMedium(medium)) return undefined;
  const folded = MEDIA[medium].fold(address);
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
