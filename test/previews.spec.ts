import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { annals } from './support/annals.js';
import { type Client, Homeserver } from './support/homeserver.js';

const PREVIEW = '/_matrix/client/v1/media/preview_url';

let web: Server;
let origin: string;
let server: Homeserver;
let alice: Client;
let picture: Buffer;

beforeAll(async () => {
  picture = await sharp({ create: { width: 900, height: 600, channels: 3, background: 'plum' } })
    .jpeg()
    .toBuffer();
  web = createServer(({ url = '' }, response) => {
    const isPicture = url.endsWith('.jpeg');
    response.writeHead(200, { 'content-type': isPicture ? 'image/jpeg' : 'text/html; charset=utf-8' });
    response.end(isPicture ? picture : `<title>Page ${url}</title><meta property="og:image" content="/picture.jpeg">`);
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  const hosts = origin.slice('http://'.length);
  server = await Homeserver.start({ env: { ANNALS_FEDERATION: 'off', ANNALS_PREVIEWS_PRIVATE_HOSTS: hosts } });
  alice = await server.register('alice');
});
afterAll(async () => {
  web.closeAllConnections();
  web.close();
  await server.remove();
});

const preview = (path: string, door = PREVIEW) =>
  alice.request('GET', `${door}?url=${encodeURIComponent(`${origin}${path}`)}&ts=1510610716656`);
const media = (id: string, kind: string, query = ''): Promise<Response> =>
  fetch(`${server.base}/_matrix/client/v1/media/${kind}/${id}${query}`, {
    headers: { authorization: `Bearer ${alice.token}` },
  });
const content = (): string[] =>
  readdirSync(join(server.directory, 'media/content'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

describe('previews over HTTP', () => {
  it('are told to users, with a picture that is downloaded as any other, and is in no log', async () => {
    const { status, body } = await preview('/a');
    expect([status, body]).toEqual([
      200,
      {
        'og:title': 'Page /a',
        'og:image': expect.stringMatching(/^mxc:\/\/e2e\.example\/preview_/),
        'og:image:type': 'image/jpeg',
        'og:image:width': 900,
        'og:image:height': 600,
        'matrix:image:size': picture.length,
      },
    ]);
    const id = body['og:image'].slice('mxc://'.length);
    const given = await media(id, 'download');
    expect([given.status, given.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
    expect(Buffer.from(await given.arrayBuffer()).equals(picture)).toBe(true);
    const small = await media(id, 'thumbnail', '?width=96&height=96&method=crop');
    expect((await sharp(await small.arrayBuffer()).metadata()).width).toBe(96);
    expect((await annals(server, 'media', 'show', body['og:image'])).output).toContain('no such medium');
    for (const version of ['v3', 'r0']) {
      expect((await preview('/a', `/_matrix/media/${version}/preview_url`)).body).toEqual(body);
    }
  });

  it('give nobody content by its hash that is no picture of a preview', async () => {
    const uploaded = await fetch(`${server.base}/_matrix/media/v3/upload`, {
      method: 'POST',
      headers: { authorization: `Bearer ${alice.token}` },
      body: 'private',
    });
    expect(uploaded.status).toBe(200);
    const hashes = content();
    expect(hashes.length).toBeGreaterThan(0);
    const answers = await Promise.all(hashes.map((hash) => media(`e2e.example/preview_${hash}`, 'download')));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect((await media(`e2e.example/preview_${'0'.repeat(64)}`, 'download')).status).toBe(404);
  });

  it('are refused to who does not say who they are, and of what is no address', async () => {
    expect((await fetch(`${server.base}${PREVIEW}?url=${origin}/a`)).status).toBe(401);
    const errorOf = async (query: string): Promise<unknown> => {
      const { status, body } = await alice.request('GET', `${PREVIEW}?${query}`);
      return [status, body.errcode];
    };
    expect(await errorOf('')).toEqual([400, 'M_MISSING_PARAM']);
    expect(await errorOf('url=x')).toEqual([400, 'M_INVALID_PARAM']);
    expect(await errorOf(`url=${origin}/a&ts=x`)).toEqual([400, 'M_INVALID_PARAM']);
    // What is inside is not told from what is not there.
    expect(await errorOf(`url=${encodeURIComponent(`${server.base}/_matrix/client/versions`)}`)).toEqual([
      404,
      'M_NOT_FOUND',
    ]);
  });

  it('leave nothing behind when the server starts anew', async () => {
    const { body } = await preview('/b');
    const before = content().length;
    await server.restart();
    await expect.poll(() => content().length).toBe(before - 1);
    const id = body['og:image'].slice('mxc://'.length);
    expect((await media(id, 'download')).status).toBe(404);
    expect((await preview('/b')).body).toEqual(body);
    expect((await media(id, 'download')).status).toBe(200);
  });

  it('are so many at a time of one user, and none where the operator wants none', async () => {
    const hosts = origin.slice('http://'.length);
    const env = { ANNALS_FEDERATION: 'off', ANNALS_PREVIEWS_PRIVATE_HOSTS: hosts, ANNALS_RATE_LIMITS: 'on' };
    const limited = await Homeserver.start({ env });
    try {
      const carol = await limited.register('carol');
      const all = Array.from({ length: 40 }, () => carol.request('GET', `${PREVIEW}?url=${origin}/a`));
      const statuses = (await Promise.all(all)).map(({ status }) => status);
      expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(30);
      expect(statuses).toContain(429);
    } finally {
      await limited.remove();
    }
    const off = await Homeserver.start({ env: { ANNALS_FEDERATION: 'off', ANNALS_PREVIEWS: 'off' } });
    try {
      const dave = await off.register('dave');
      const { status, body } = await dave.request('GET', `${PREVIEW}?url=${origin}/a`);
      expect([status, body.errcode]).toEqual([404, 'M_UNRECOGNIZED']);
    } finally {
      await off.remove();
    }
  });
});
