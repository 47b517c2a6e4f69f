import { createServer, type Server } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Outgoing, type StreamedAnswer } from '#http/outgoing/outgoing';
import { PeerUnavailable } from '#kernel/peer-errors';
import type { ServerName } from '#kernel/ids';
import type { MediaId } from '#media/media-id';
import type { FoundMedia } from '#media/remote-media';
import { TestAuthority } from '#testing/test-authority';
import type { Peers } from '../peers/peers.js';
import { PeersMedia } from './peers-media.js';

const authority = new TestAuthority();
const MEDIA = { server: 'b.example' as ServerName, mediaId: 'abc' as MediaId };
const BOUNDS = { timeoutMs: 1000, maxBytes: 1000 };

/** A peer that answers in two parts, the second with these headers. */
function answering(headers: string, body = ''): Pick<Peers, 'download'> {
  const text = `--b\r\n\r\n{}\r\n--b\r\n${headers}\r\n\r\n${body}\r\n--b--`;
  return {
    download<T>(...[, , take]: Parameters<Peers['download']>): Promise<T> {
      const answer: StreamedAnswer = {
        status: 200,
        headers: { 'content-type': 'multipart/mixed; boundary=b' },
        body: (async function* () {
          yield Buffer.from(text);
        })(),
      };
      return take(answer) as Promise<T>;
    },
  };
}

async function textOf({ body }: FoundMedia): Promise<string> {
  let text = '';
  for await (const piece of body) text += Buffer.from(piece).toString();
  return text;
}

describe('a medium that its server keeps elsewhere', () => {
  let inside: Server;
  let connections = 0;
  let port: number;

  beforeAll(async () => {
    const { certificate: cert, key } = authority.issue();
    inside = createServer({ cert, key }, (_, response) => response.end('a secret of the network'));
    inside.on('connection', () => connections++).on('tlsClientError', () => {});
    inside.listen(0, '127.0.0.1');
    await once(inside, 'listening');
    ({ port } = inside.address() as AddressInfo);
  });
  afterAll(() => void inside.close());

  const fetchFrom = async (location: string, allowPrivate: boolean): Promise<string> => {
    const outgoing = new Outgoing({ allowPrivate, ca: authority.certificate, connectMs: 5000 });
    try {
      return await new PeersMedia(answering(`Location: ${location}`) as Peers, outgoing).fetch(MEDIA, BOUNDS, textOf);
    } finally {
      await outgoing.onModuleDestroy();
    }
  };

  it('is not fetched from this machine or its networks, whatever these are called', async () => {
    const names = [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '2130706433',
      '0x7f.1',
      '0',
      'user:secret@127.0.0.1',
    ];
    for (const name of names) {
      await expect(fetchFrom(`https://${name}:${port}/x`, false), name).rejects.toBeInstanceOf(PeerUnavailable);
    }
    expect(connections).toBe(0);
    expect(await fetchFrom(`https://localhost:${port}/x`, true)).toBe('a secret of the network');
    expect(connections).toBe(1);
  });

  it('is fetched over https alone', async () => {
    for (const location of [
      `http://localhost:${port}/`,
      'file:///etc/passwd',
      'data:,x',
      '//localhost/x',
      '/x',
      '',
      ' ',
    ]) {
      await expect(fetchFrom(location, true), location).rejects.toBeInstanceOf(PeerUnavailable);
    }
    expect(connections).toBe(1);
  });
});
