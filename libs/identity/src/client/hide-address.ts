import type { AnyThreepid } from './hash-address.js';

/**
 * What stands for an identifier in a room, where everybody reads it: identity service API, "Invitation storage". Enough for who knows it, and
 * nothing to be made out of it.
 */
export function hideAddress({ medium, address }: AnyThreepid): string {
  const first = (text: string): string => ([...text].length > 1 ? [...text][0]! : '');
  if (medium !== 'email') return `${address.slice(0, 2)}...`;
  const at = address.lastIndexOf('@');
  return `${first(address.slice(0, at))}...@${first(address.slice(at + 1))}...`;
}
