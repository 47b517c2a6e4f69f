import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient, type MatrixClient } from 'matrix-js-sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, Homeserver } from './support/homeserver.js';
import { NODE_22 } from './support/node-22.js';

/** `ANNALS_KILLS=100` for the long run. */
const KILLS = Number(process.env['ANNALS_KILLS'] ?? 3);
const AT_ONCE = 12;
const BYTES = 300_000;

let server: Homeserver;
let alice: Client;

beforeAll(async () => {
  server = await Homeserver.start();
  alice = await server.register('alice');
});
afterAll(() => server.remove());

const filesIn = (part: string): string[] => {
  try {
    const entries = readdirSync(join(server.directory, 'media', part), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  } catch {
    return [];
  }
};
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

async function upload(content: Buffer): Promise<string> {
  const answer = await fetch(`${server.base}/_matrix/media/v3/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${alice.token}` },
    body: new Uint8Array(content),
  });
  if (answer.status !== 200) throw new Error(await answer.text());
  return ((await answer.json()) as { content_uri: string }).content_uri;
}

async function download(uri: string): Promise<Buffer> {
  const path = `/_matrix/client/v1/media/download/${uri.slice('mxc://'.length)}`;
  const answer = await fetch(`${server.base}${path}`, { headers: { authorization: `Bearer ${alice.token}` } });
  return Buffer.from(await answer.arrayBuffer());
}

describe('media of a started server', () => {
  it.runIf(NODE_22)('are uploaded and found by matrix-js-sdk, by the paths that need a token', async () => {
    const client: MatrixClient = createClient({
      baseUrl: server.base,
      accessToken: alice.token,
      userId: alice.userId,
    });
    const { content_uri: uri } = await client.uploadContent(new Blob(['a picture']), {
      name: 'rock.png',
      type: 'image/png',
    });
    const url = client.mxcUrlToHttp(uri, undefined, undefined, undefined, false, true, true)!;
    expect(url).toContain('/_matrix/client/v1/media/download/');
    const answer = await fetch(url, { headers: { authorization: `Bearer ${alice.token}` } });
    expect([await answer.text(), answer.headers.get('content-disposition')]).toEqual([
      'a picture',
      'inline; filename="rock.png"',
    ]);
    expect(await client.getMediaConfig(true)).toEqual({ 'm.upload.size': 104_857_600 });
  });

  it(`are whole where they were acknowledged, and nothing half received is left, when the server is killed, ${KILLS} times`, async () => {
    const acknowledged = new Map<string, Buffer>();
    for (let kill = 0; kill < KILLS; kill++) {
      const uploads = Array.from({ length: AT_ONCE }, async () => {
        const content = randomBytes(BYTES);
        acknowledged.set(await upload(content), content);
      });
      const ended = Promise.allSettled(uploads);
      await delay(Math.random() * 150);
      await server.end('SIGKILL');
      await ended;
      await server.start();
      for (const [uri, content] of acknowledged) expect((await download(uri)).equals(content)).toBe(true);
      expect(filesIn('incoming')).toEqual([]);
    }
    for (const content of acknowledged.values()) expect(filesIn('content')).toContain(sha256(content));
  }, 120_000);
});
