import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BucketServer } from '#testing/bucket-server';
import { type Client, Homeserver } from './support/homeserver.js';

const KILLS = 3;
const AT_ONCE = 8;
/** Of several parts, where it is large. */
const SIZES = [100, 300_000, 9_000_000];

let bucket: BucketServer;
let server: Homeserver;
let alice: Client;

beforeAll(async () => {
  bucket = await BucketServer.start();
  server = await Homeserver.start({
    env: {
      ANNALS_MEDIA_BUCKET: bucket.url,
      ANNALS_MEDIA_BUCKET_KEY_ID: bucket.keyId,
      ANNALS_MEDIA_BUCKET_SECRET: bucket.secret,
      ANNALS_MEDIA_BUCKET_REGION: bucket.region,
    },
  });
  alice = await server.register('alice');
});
afterAll(async () => {
  await server.remove();
  await bucket.stop();
});

async function upload(content: Buffer): Promise<string> {
  const answer = await fetch(`${server.base}/_matrix/media/v3/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${alice.token}` },
    body: new Uint8Array(content),
  });
  if (answer.status !== 200) throw new Error(await answer.text());
  return ((await answer.json()) as { content_uri: string }).content_uri.slice('mxc://'.length);
}

async function download(id: string): Promise<Buffer> {
  const path = `${server.base}/_matrix/client/v1/media/download/${id}`;
  const answer = await fetch(path, { headers: { authorization: `Bearer ${alice.token}` } });
  return Buffer.from(await answer.arrayBuffer());
}

it(`media in a bucket are whole where they were acknowledged, and nothing half received is left, when the server is killed, ${KILLS} times`, async () => {
  const acknowledged = new Map<string, Buffer>();
  for (let kill = 0; kill < KILLS; kill++) {
    const uploads = Array.from({ length: AT_ONCE }, async (_, i) => {
      const content = randomBytes(SIZES[i % SIZES.length]!);
      acknowledged.set(await upload(content), content);
    });
    const ended = Promise.allSettled(uploads);
    await delay(Math.random() * 300);
    await server.end('SIGKILL');
    await ended;
    await server.start();
    for (const [id, content] of acknowledged) expect((await download(id)).equals(content)).toBe(true);
  }
  const incoming = join(server.directory, 'media/incoming');
  expect(existsSync(incoming) ? readdirSync(incoming) : []).toEqual([]);
}, 180_000);
