import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '#config/config';
import { answerClientError, CONNECTION_TIMEOUTS } from '#http/fastify-options';

/** The listener with TLS, and the way to give it a new certificate. */
export interface TlsListener {
  readonly server: Server;
  /** Rereads the certificate and its key: new connections get them, old ones go on. Throws as the start does. */
  renewCertificate(): void;
}

/**
 * Listens with TLS where other servers look for this one (server-server API, "API standards": HTTPS only), and serves the
 * same doors as the listener for clients. Answers undefined where no such listener is configured. Throws where the
 * certificate or its key cannot be read or do not go together, naming the file, and where the address is taken.
 */
export async function openTlsListener(config: Config, app: NestFastifyApplication): Promise<TlsListener | undefined> {
  const { federationListen, tlsCert, tlsKey } = config;
  if (federationListen === undefined || tlsCert === undefined || tlsKey === undefined) return undefined;
  const fastify = app.getHttpAdapter().getInstance();
  const readSecrets = () => ({ cert: readPem(tlsCert), key: readPem(tlsKey), minVersion: 'TLSv1.2' as const });
  const server = naming(tlsCert, () => createServer({ ...CONNECTION_TIMEOUTS, ...readSecrets() }));
  server.on('request', (request, response) => fastify.routing(request, response));
  server.on('clientError', answerClientError);
  server.on('checkExpectation', (request, response) => fastify.routing(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(federationListen.port, federationListen.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return { server, renewCertificate: () => naming(tlsCert, () => server.setSecureContext(readSecrets())) };
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UnreadableFile(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** A certificate and a key that do not go together are told by the name of their file. */
function naming<T>(tlsCert: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (error instanceof UnreadableFile) throw error;
    throw new Error(`${tlsCert} and its key: ${(error as Error).message}`, { cause: error });
  }
}

class UnreadableFile extends Error {}
