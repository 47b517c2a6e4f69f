import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isPublicAddress } from './public-address.js';

/** A name or an address leads to a network to which this server makes no requests. */
export class RefusedAddress extends Error {
  readonly code = 'ERR_REFUSED_ADDRESS';

  constructor(host: string, addresses: readonly string[]) {
    const where = addresses.includes(host) ? 'is' : `leads to ${addresses.join(', ')}:`;
    super(`${host} ${where} no address of the Internet (see ANNALS_FEDERATION_ALLOW_PRIVATE)`);
    this.name = 'RefusedAddress';
  }
}

/**
 * What a socket looks names up by: it gets addresses of the Internet alone, or a RefusedAddress where there is none among them. As the
 * socket connects to the very addresses that it gets here, no second answer of the name can lead elsewhere. A socket looks up no
 * address that is given as such: see `checkAddress`.
 */
export function guardedLookup(lookup: LookupFunction = systemLookup as LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found, family) => {
      if (error !== null) return callback(error, []);
      const all: LookupAddress[] = typeof found === 'string' ? [{ address: found, family: family ?? 4 }] : found;
      const allowed = all.filter(({ address }) => isPublicAddress(address));
      const first = allowed[0];
      if (first === undefined) {
        callback(
          new RefusedAddress(
            hostname,
            all.map(({ address }) => address),
          ),
          [],
        );
      } else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/** Throws RefusedAddress where a host is an IP address and none of the Internet. */
export function checkAddress(host: string, version: number): void {
  if (version !== 0 && !isPublicAddress(host)) throw new RefusedAddress(host, [host]);
}
