import { timingSafeEqual } from 'node:crypto';

/** Whether what somebody gave is the secret, found out in the same time whatever it has in common with that. */
export function isSameSecret(given: string | Uint8Array, right: string | Uint8Array): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}
