import { isIPv6 } from 'node:net';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const GROUPS = 8;
/** Whoever has an IPv6 address has as many as they like of its network of 64 bits. */
const GROUPS_OF_NETWORK = 4;

/** For whom an address counts: an IPv4 address for itself, one of IPv6 for its network of 64 bits. */
export function addressParty(ip: string): string {
  const mapped = MAPPED.exec(ip)?.[1];
  if (mapped !== undefined) return mapped;
  const [address = ''] = ip.split('%');
  if (!isIPv6(address)) return ip;
  // A URL spells every IPv6 address in its one short form, without an IPv4 address in it.
  const [front = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const first = front === '' ? [] : front.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: GROUPS - first.length - last.length }, () => '0');
  return `${[...first, ...(tail === undefined ? [] : zeros), ...last].slice(0, GROUPS_OF_NETWORK).join(':')}::/64`;
}
