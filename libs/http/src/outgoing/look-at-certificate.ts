import { once } from 'node:events';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import type { ConnectorOptions, HostAndPort } from './guarded-connector.js';
import { checkAddress, guardedLookup } from './guarded-lookup.js';

/** What a server shows of itself as it is connected to. */
export interface SeenCertificate {
  /** Where it is: the address that was connected to. */
  readonly address: string;
  /** The version of TLS. */
  readonly protocol: string;
  readonly issuer: string;
  /** As Node has them: `DNS:example.org, IP Address:…`. */
  readonly names: string;
  /** Milliseconds since the epoch. */
  readonly validUntil: number;
  /** Why it is not believed; undefined where it is. */
  readonly fault: string | undefined;
}

/**
 * Connects as `guardedConnector` does, looks at the certificate, also at one that is not believed, and hangs up. Throws what a
 * connection fails with.
 */
export async function lookAtCertificate(
  { host, port }: HostAndPort,
  tlsName: string,
  { ca, allowPrivate, connectMs, lookup }: ConnectorOptions,
): Promise<SeenCertificate> {
  if (!allowPrivate) checkAddress(host, isIP(host));
  const socket = connect({
    host,
    port,
    ca,
    servername: isIP(tlsName) === 0 ? tlsName : undefined,
    lookup: allowPrivate ? lookup : guardedLookup(lookup),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: false,
  });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(connectMs) });
    const { issuer, subjectaltname, valid_to } = socket.getPeerCertificate();
    const { O: organisation, CN: name } = issuer;
    return {
      address: socket.remoteAddress ?? host,
      protocol: socket.getProtocol() ?? 'TLS',
      issuer: [organisation, name].filter((part) => part !== undefined).join(', '),
      names: subjectaltname ?? 'no name',
      validUntil: Date.parse(valid_to),
      fault: socket.authorized ? undefined : String(socket.authorizationError),
    };
  } finally {
    socket.on('error', () => {}).destroy();
  }
}
