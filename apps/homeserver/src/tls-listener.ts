import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '#config/config';
import { answerClientError, CONNECTION_TIMEOUTS } from '#http/fastify-options';

/**
 * Listens with TLS where other servers look for this one (server-server API, "API standards": HTTPS only), and serves the
 * same doors as the listener for clients. Answers undefined where no such listener is configured. Throws where the
 * certificate or its key cannot be read or do not go together, naming the file, and where the address is taken.
 */
export async function openTlsListener(config: Config, app: NestFastifyApplication): Promise<Server | undefined> {
  const { federationListen, tlsCert, tlsKey } = config;
  if (federationListen === undefined || tlsCert === undefined || tlsKey === undefined) return undefined;
  const fastify = app.getHttpAdapter().getInstance();
  const options = {
    ...CONNECTION_TIMEOUTS,
    cert: readPem(tlsCert),
    key: readPem(tlsKey),
    minVersion: 'TLSv1.2' as const,
  };
  const server = createListener(options, tlsCert);
  server.on('request', (request, response) => fastify.routing(request, response));
  server.on('clientError', answerClientError);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(federationListen.port, federationListen.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return server;
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

function createListener(options: Parameters<typeof createServer>[0], tlsCert: string): Server {
  try {
    return createServer(options);
  } catch (error) {
    throw new Error(`${tlsCert} and its key: ${(error as Error).message}`, { cause: error });
  }
}
