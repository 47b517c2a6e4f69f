import { expect, it } from 'vitest';
import { addressParty } from './address-party.js';

it.each([
  ['1.2.3.4', '1.2.3.4'],
  ['::ffff:1.2.3.4', '1.2.3.4'],
  ['2a00:1450:4001:82a::200e', '2a00:1450:4001:82a::/64'],
  ['2A00:1450:4001:082a:1:2:3:4', '2a00:1450:4001:82a::/64'],
  ['2a00::1', '2a00:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['unknown', 'unknown'],
])('the address %s counts for %s', (ip, party) => expect(addressParty(ip)).toBe(party));
