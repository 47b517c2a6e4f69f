import type { IncomingMessage } from 'node:http';

/**
 * The body of a request that came to a stand-in, as text. Who goes away before all of it is here, as a server that is killed, is answered
 * nothing: then it never settles, for who waits for it to fail would fail the tests.
 */
export function bodyOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    request
      .on('data', (piece: Buffer) => pieces.push(piece))
      .on('end', () => resolve(Buffer.concat(pieces).toString('utf8')))
      .on('error', () => {});
  });
}
