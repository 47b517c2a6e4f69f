import { isIP, type LookupFunction, type Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { buildConnector } from 'undici';
import { checkAddress, guardedLookup } from './guarded-lookup.js';
import { publicAuthorities } from './public-authorities.js';

/** Where a server is to be found, and who it must prove to be. */
export interface ServerPlace {
  /** The name, or the IP address without brackets, that its certificate must be for; as a name it is also asked for (SNI). */
  readonly tlsName: string;
  /** What to connect to, in this order, until one answers: names, or IP addresses without brackets. */
  readonly at: readonly HostAndPort[];
  /** Whether it may be at an address that is none of the Internet; as the options say unless told. */
  readonly mayBePrivate?: boolean;
  /** Whether it is spoken to without TLS: then it proves nothing. */
  readonly isPlain?: boolean;
  /** Whether the authorities that Node brings vouch for it too where the operator named others: for all that is no homeserver. */
  readonly trustsPublicToo?: boolean;
  /** How many connections there are to it at most; a few unless told. */
  readonly connections?: number;
}

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

export interface ConnectorOptions {
  /** Authorities that vouch for certificates (PEM), instead of those that Node brings, or besides them where a place says so. */
  readonly ca?: string;
  /** The public authorities (PEM); those that Node trusts unless told. */
  readonly publicCa?: readonly string[];
  /** Whether addresses that are none of the Internet are connected to as well. */
  readonly allowPrivate: boolean;
  /** What each try may take: the look-up of the name, the connection, TLS. */
  readonly connectMs: number;
  /** How names are looked up; as the system does unless told. */
  readonly lookup?: LookupFunction;
}

/** What connects by the authorities of one secure context: to any address, or to those of the Internet alone. */
interface Connectors {
  readonly open: buildConnector.connector;
  readonly guarded: buildConnector.connector;
}

function contextOf(ca: string | string[] | undefined): SecureContext {
  return createSecureContext({ ca, minVersion: 'TLSv1.2' });
}

/**
 * What makes the connections of this server to others: with TLS (unless a place has none), a certificate that must be for the name of the place, and no address
 * but one of the Internet unless the place or the options allow others, looked at as it is connected to. Its errors are RefusedAddress, those of `node:tls` and those of undici.
 */
export function guardedConnector(
  build: typeof buildConnector,
  { ca, publicCa, allowPrivate, connectMs, lookup }: ConnectorOptions,
): (place: ServerPlace) => buildConnector.connector {
  const connectorsBy = (secureContext: SecureContext): Connectors => ({
    open: build({ secureContext, timeout: connectMs, lookup }),
    guarded: build({ secureContext, timeout: connectMs, lookup: guardedLookup(lookup) }),
  });
  // PERF: one for all connections: to read some 150 authorities takes longer than all else of a connection.
  const ours = connectorsBy(contextOf(ca));
  let withPublic: Connectors | undefined;
  const connectTo = async (
    { host, port }: HostAndPort,
    { tlsName, mayBePrivate, isPlain = false, trustsPublicToo = false }: ServerPlace,
  ): Promise<Socket> => {
    const isOpen = mayBePrivate ?? allowPrivate;
    if (!isOpen) checkAddress(host, isIP(host));
    if (trustsPublicToo)
      withPublic ??= ca === undefined ? ours : connectorsBy(contextOf([...(publicCa ?? publicAuthorities()), ca]));
    const { open, guarded } = (trustsPublicToo ? withPublic : undefined) ?? ours;
    const connect = isOpen ? open : guarded;
    const servername = isIP(tlsName) === 0 ? tlsName : undefined;
    const to = { protocol: isPlain ? 'http:' : 'https:', hostname: host, host, port: String(port), servername };
    return new Promise((resolve, reject) => {
      connect(to, (...[error, socket]) => (error === null ? resolve(socket) : reject(error)));
    });
  };
  const connectToFirst = async (place: ServerPlace): Promise<Socket> => {
    let failure: unknown = new Error('there is nothing to connect to');
    for (const next of place.at) {
      try {
        return await connectTo(next, place);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  };
  return (place) => (_, callback) => {
    connectToFirst(place).then(
      (socket) => callback(null, socket),
      (error: Error) => callback(error, null),
    );
  };
}
