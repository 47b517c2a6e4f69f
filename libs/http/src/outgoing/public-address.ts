import { BlockList, isIP } from 'node:net';

/** What lies within 0.0.0.0/0 and leads to no machine of the Internet: IANA, "IPv4 Special-Purpose Address Registry", and multicast. */
const SPECIAL_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** All of IPv6 that is given out to machines of the Internet; loopback, link-local, unique local and multicast lie outside. */
const GLOBAL_V6 = ['2000::/3'];
/** What of that is special all the same: protocols (Teredo among them), documentation, 6to4, which leads to an IPv4 address. */
const SPECIAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];
/** IPv6 addresses that are an IPv4 address, in their last 32 bits: as mapped ones, and as a translator reaches them (NAT64). */
const OF_V4 = ['::ffff:0:0/96', '64:ff9b::/96'];

const specialV4 = listOf(SPECIAL_V4, 'ipv4');
const globalV6 = listOf(GLOBAL_V6, 'ipv6');
const specialV6 = listOf(SPECIAL_V6, 'ipv6');
const ofV4 = listOf(OF_V4, 'ipv6');

/**
 * Whether an IP address is one of the Internet: neither this machine, nor its networks, nor what only means one of these. What is
 * no IP address is none either.
 */
export function isPublicAddress(address: string): boolean {
  // What is behind `%` names an interface of this machine: no address of the Internet has it.
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 4) return !specialV4.check(address, 'ipv4');
  if (version !== 6) return false;
  if (ofV4.check(address, 'ipv6')) return isPublicAddress(lastV4(address));
  return globalV6.check(address, 'ipv6') && !specialV6.check(address, 'ipv6');
}

/** The IPv4 address of the last 32 bits of an IPv6 address. */
function lastV4(address: string): string {
  // A URL spells every IPv6 address in its one short form, without an IPv4 address in it.
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split(':');
  const [high = 0, low = 0] = groups.slice(-2).map((group) => parseInt(group || '0', 16));
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

function listOf(networks: readonly string[], type: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    list.addSubnet(address, Number(bits), type);
  }
  return list;
}
