import { describe, expect, it } from 'vitest';
import { isPublicAddress } from './public-address.js';

describe('an address of the Internet', () => {
  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.0.1',
    '172.32.0.1',
    '192.167.1.1',
    '198.20.0.1',
  ])('is %s', (address) => expect(isPublicAddress(address)).toBe(true));

  it.each(['2606:4700:4700::1111', '2a01:4f8::1', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '64:FF9B::0808:0808'])(
    'is %s',
    (address) => expect(isPublicAddress(address)).toBe(true),
  );
});

describe('an address that is none of the Internet', () => {
  it.each([
    ['this machine', '127.0.0.1'],
    ['this machine', '127.255.255.254'],
    ['any', '0.0.0.0'],
    ['of this network', '0.1.2.3'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['shared by customers', '100.64.0.1'],
    ['shared by customers', '100.127.255.255'],
    ['link-local, where clouds keep secrets', '169.254.169.254'],
    ['of protocols', '192.0.0.8'],
    ['documentation', '192.0.2.1'],
    ['benchmarks', '198.19.0.1'],
    ['multicast', '224.0.0.1'],
    ['multicast', '239.255.255.255'],
    ['reserved', '250.1.1.1'],
    ['broadcast', '255.255.255.255'],
    ['any', '::'],
    ['this machine', '::1'],
    ['this machine, spelled out', '0:0:0:0:0:0:0:1'],
    ['link-local', 'fe80::1'],
    ['link-local of an interface', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['unique local', 'fc00::1'],
    ['unique local', 'fd12:3456::1'],
    ['multicast', 'ff02::1'],
    ['documentation', '2001:db8::1'],
    ['documentation', '3fff::1'],
    ['Teredo', '2001:0:1234::1'],
    ['6to4, of a private address', '2002:7f00:1::'],
    ['mapped', '::ffff:127.0.0.1'],
    ['mapped', '::ffff:7f00:1'],
    ['mapped', '0:0:0:0:0:ffff:0a00:0001'],
    ['compatible, as it was once', '::127.0.0.1'],
    ['NAT64 of a private address', '64:ff9b::10.0.0.1'],
    ['NAT64 of this machine', '64:ff9b::7f00:1'],
    ['NAT64 within a network', '64:ff9b:1::8.8.8.8'],
    ['no address', 'example.org'],
    ['no address', '127.1'],
    ['no address', ''],
  ])('is %s: %s', (_, address) => expect(isPublicAddress(address)).toBe(false));
});
