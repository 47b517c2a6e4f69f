import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { tlsFaultOf } from '#kernel/tls-fault';
import type { ServerAddress } from './server-address.js';

const TIMEOUT_MS = 3000;

export interface Fault {
  readonly words: string;
  /** Whether it may be gone by itself: the name of a container is known only once the container is there. */
  readonly mayPass: boolean;
}

/**
 * Looks why a server does not answer, with the means of the machine; undefined where it may only not have been started yet. A
 * list of hosts is at fault where each of them is.
 */
export async function findFault({ hosts, tls, verifyCertificate, caFile }: ServerAddress): Promise<Fault | undefined> {
  let ca: Buffer | undefined;
  try {
    ca = caFile === undefined ? undefined : readFileSync(caFile);
  } catch (error) {
    return lasting(`the file of certificates ${caFile} cannot be read (${codeOf(error)})`);
  }
  const faults = await Promise.all(
    hosts.map(async ({ host, port }) => {
      try {
        await lookup(host);
      } catch (error) {
        // A resolver that does not answer (EAI_AGAIN) says nothing of the host.
        return codeOf(error) === 'ENOTFOUND' ? { words: `the host ${host} is unknown`, mayPass: true } : undefined;
      }
      if (!tls) return undefined;
      const code = await tlsFault(host, port, verifyCertificate, ca);
      const fault = tlsFaultOf(code);
      if (fault === 'no TLS') return lasting(`${host}:${port} does not speak TLS: tls=false is missing`);
      return fault === 'certificate'
        ? lasting(`the certificate of ${host}:${port} is not trusted (${code}): name its authority with tlsCAFile`)
        : undefined;
    }),
  );
  if (!faults.every((fault) => fault !== undefined)) return undefined;
  return faults.find(({ mayPass }) => mayPass) ?? faults[0];
}

function lasting(words: string): Fault {
  return { words, mayPass: false };
}

/** The code of the error that a TLS handshake ends with. */
function tlsFault(host: string, port: number, verify: boolean, ca: Buffer | undefined): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = {
      host,
      port,
      ca,
      servername: isIP(host) === 0 ? host : undefined,
      rejectUnauthorized: verify,
      ALPNProtocols: ['h2'],
    };
    const socket = connect(options, () => done(undefined));
    const done = (code: string | undefined): void => {
      socket.destroy();
      resolve(code);
    };
    socket.setTimeout(TIMEOUT_MS, () => done(undefined));
    socket.on('error', (error) => done(codeOf(error)));
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as { readonly code?: string }).code;
}
