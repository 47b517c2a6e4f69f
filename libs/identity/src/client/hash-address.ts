import { createHash } from 'node:crypto';

/** Where somebody is reached elsewhere: an address of a medium, also of one that accounts here have none of, in its canonical form (appendices, "3PID Types"). */
export interface AnyThreepid {
  readonly medium: string;
  readonly address: string;
}

/** What stands for a 3PID in a look-up: identity service API, "Association lookup", `sha256`. */
export function hashAddress({ medium, address }: AnyThreepid, pepper: string): string {
  return createHash('sha256').update(`${address} ${medium} ${pepper}`).digest('base64url');
}
