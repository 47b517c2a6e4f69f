import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { decode } from 'blurhash';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { annals } from './support/annals.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { HostileServer } from './support/federation/hostile-server.js';
import { type Client, Homeserver } from './support/homeserver.js';

const THUMBNAIL = '/_matrix/client/v1/media/thumbnail';

let server: Homeserver;
let alice: Client;

beforeAll(async () => {
  server = await Homeserver.start({ env: { ANNALS_FEDERATION: 'off' } });
  alice = await server.register('alice');
});
afterAll(() => server.remove());

const derived = (): string[] => {
  try {
    return readdirSync(join(server.directory, 'media/derived'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
  } catch {
    return [];
  }
};
const photo = (width: number, height: number, background = 'teal'): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background } })
    .jpeg()
    .toBuffer();

async function upload(content: Buffer, type = 'image/jpeg'): Promise<string> {
  const answer = await fetch(`${server.base}/_matrix/media/v3/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${alice.token}`, 'content-type': type },
    body: new Uint8Array(content),
  });
  return ((await answer.json()) as { content_uri: string }).content_uri.slice('mxc://'.length);
}
const ask = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
  fetch(`${server.base}${path}`, { method, headers: { authorization: `Bearer ${alice.token}`, ...headers } });
const errorOf = async (answer: Response): Promise<[number, unknown]> => [
  answer.status,
  ((await answer.json()) as { errcode: string }).errcode,
];

describe('thumbnails over HTTP', () => {
  it('are given as pictures that browsers show, and need not be sent again', async () => {
    const id = await upload(await photo(1000, 500), 'text/html');
    const answer = await ask(`${THUMBNAIL}/${id}?width=300&height=200&method=scale`);
    expect([answer.status, answer.headers.get('content-type'), answer.headers.get('content-disposition')]).toEqual([
      200,
      'image/jpeg',
      'inline; filename="thumbnail.jpeg"',
    ]);
    for (const [name, value] of [
      ['cache-control', expect.stringContaining('max-age=86400')],
      ['x-content-type-options', 'nosniff'],
      ['cross-origin-resource-policy', 'cross-origin'],
      ['content-security-policy', expect.stringContaining('sandbox')],
    ] as const) {
      expect(answer.headers.get(name)).toEqual(value);
    }
    const made = Buffer.from(await answer.arrayBuffer());
    expect(answer.headers.get('content-length')).toBe(String(made.length));
    const { width, height } = await sharp(made).metadata();
    expect([width, height]).toEqual([320, 160]);
    const etag = answer.headers.get('etag')!;
    const same = await ask(`${THUMBNAIL}/${id}?width=320&height=240`, { 'if-none-match': etag });
    expect([same.status, await same.text()]).toEqual([304, '']);
    const head = await ask(`${THUMBNAIL}/${id}?width=320&height=240`, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(made.length)]);
  });

  it('are given on old paths to who says who they are, and how large they are may be left out in that of 2015', async () => {
    const id = await upload(await photo(2000, 1000));
    for (const version of ['v3', 'r0', 'v1']) {
      const path = `/_matrix/media/${version}/thumbnail/${id}?width=96&height=96&method=crop`;
      expect((await ask(path)).status).toBe(200);
      expect(await errorOf(await fetch(`${server.base}${path}`))).toEqual([404, 'M_NOT_FOUND']);
      const old = await fetch(`${server.base}${path}&access_token=${alice.token}`);
      expect([old.status, (await sharp(await old.arrayBuffer()).metadata()).width]).toEqual([200, 96]);
    }
    const unsized = await ask(`/_matrix/media/v1/thumbnail/${id}`);
    expect((await sharp(await unsized.arrayBuffer()).metadata()).width).toBe(800);
    expect(await errorOf(await ask(`/_matrix/media/v3/thumbnail/${id}`))).toEqual([400, 'M_MISSING_PARAM']);
    expect((await fetch(`${server.base}${THUMBNAIL}/${id}?width=1&height=1`)).status).toBe(401);
  });

  it('are refused in the standard form where there can be none', async () => {
    const id = await upload(Buffer.from('no picture'), 'image/png');
    const size = 'width=96&height=96';
    const none = await ask(`${THUMBNAIL}/${id}?${size}`);
    expect(none.headers.get('cache-control')).toBeNull();
    expect(await errorOf(none)).toEqual([400, 'M_UNKNOWN']);
    const large = await sharp({ create: { width: 8200, height: 8000, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    expect(await errorOf(await ask(`${THUMBNAIL}/${await upload(large)}?${size}`))).toEqual([413, 'M_TOO_LARGE']);
    expect(await errorOf(await ask(`${THUMBNAIL}/e2e.example/unknown?${size}`))).toEqual([404, 'M_NOT_FOUND']);
    for (const bad of ['width=-1&height=1', 'width=x&height=1', 'width=1&height=1.5', `${size}&method=stretch`]) {
      expect(await errorOf(await ask(`${THUMBNAIL}/${id}?${bad}`))).toEqual([400, 'M_INVALID_PARAM']);
    }
    const created = await alice.ok('POST', '/_matrix/media/v1/create');
    const path = `${THUMBNAIL}/${created.content_uri.slice('mxc://'.length)}?${size}`;
    expect(await errorOf(await ask(`${path}&timeout_ms=0`))).toEqual([504, 'M_NOT_YET_UPLOADED']);
  });

  it('go with the picture that they are of, from the disk too', async () => {
    await server.restart();
    const before = derived().length;
    const id = await upload(await photo(900, 900, 'plum'));
    const all = [32, 96, 320].map((length) => ask(`${THUMBNAIL}/${id}?width=${length}&height=${length}&method=crop`));
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(derived()).toHaveLength(before + 3);
    expect((await annals(server, 'media', 'delete', `mxc://${id}`)).code).toBe(0);
    await expect.poll(derived).toHaveLength(before);
    expect(await errorOf(await ask(`${THUMBNAIL}/${id}?width=32&height=32`))).toEqual([404, 'M_NOT_FOUND']);
  });

  it('are made while the server answers others, who wait for none of them', async () => {
    const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
    const content = await sharp({ create: { width: 4000, height: 3000, channels: 3, noise, background: 'red' } })
      .jpeg()
      .toBuffer();
    const ids = await Promise.all([1, 2, 3].map((nth) => upload(Buffer.concat([content, Buffer.from([nth])]))));
    const done = new AbortController();
    const made = Promise.all(ids.map((id) => ask(`${THUMBNAIL}/${id}?width=800&height=600`)));
    void made.finally(() => done.abort());
    let answered = 0;
    while (!done.signal.aborted) {
      await alice.ok('GET', '/account/whoami');
      answered++;
    }
    expect((await made).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answered).toBeGreaterThan(5);
  });
});

describe('blurhashes', () => {
  it('are made of pictures where whoever uploads one asks for it, and of nothing else', async () => {
    const send = async (content: Buffer, query = ''): Promise<Record<string, unknown>> => {
      const answer = await fetch(`${server.base}/_matrix/media/v3/upload${query}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${alice.token}`, 'content-type': 'image/jpeg' },
        body: new Uint8Array(content),
      });
      return (await answer.json()) as Record<string, unknown>;
    };
    const uri = expect.stringMatching(/^mxc:/);
    const wanted = '?xyz.amorgan.generate_blurhash=true&filename=a.jpeg';
    const red = await send(await photo(400, 300, '#ff0000'), wanted);
    expect(red).toEqual({ content_uri: uri, 'xyz.amorgan.blurhash': expect.stringMatching(/^L.{27}$/) });
    const [r = 0, g = 255, b = 255] = decode(String(red['xyz.amorgan.blurhash']), 1, 1);
    expect([r > 200, g < 50, b < 50]).toEqual([true, true, true]);
    expect(await send(await photo(400, 300, 'red'))).toEqual({ content_uri: uri });
    expect(await send(await photo(400, 300, 'red'), '?xyz.amorgan.generate_blurhash=false')).toEqual({
      content_uri: uri,
    });
    expect(await send(Buffer.from('encrypted'), wanted)).toEqual({ content_uri: uri });
    expect(await send(Buffer.from('x'), '?xyz.amorgan.generate_blurhash=maybe')).toMatchObject({
      errcode: 'M_INVALID_PARAM',
    });
  });
});

describe('thumbnails between servers', () => {
  it('are made by who is asked, of what other servers have, and given to servers in two parts', async () => {
    const authority = new TestAuthority();
    const [here, there] = [await FederatingAnnals.begin(authority), await FederatingAnnals.begin(authority)];
    const stranger = await HostileServer.start(authority);
    try {
      const bob = await there.register('bob');
      const headers = { authorization: `Bearer ${(await here.register('alice')).token}` };
      const content = new Uint8Array(await photo(1000, 500));
      const given = await fetch(`${here.base}/_matrix/media/v3/upload`, { method: 'POST', headers, body: content });
      const { content_uri: uri } = (await given.json()) as { content_uri: string };
      const [, mediaId = ''] = uri.slice('mxc://'.length).split('/');
      const size = 'width=320&height=240&method=scale';
      const url = `${there.base}${THUMBNAIL}/${here.name}/${mediaId}?${size}`;
      const made = await fetch(url, { headers: { authorization: `Bearer ${bob.token}` } });
      expect([made.status, (await sharp(await made.arrayBuffer()).metadata()).width]).toEqual([200, 320]);

      const path = `/_matrix/federation/v1/media/thumbnail/${mediaId}?${size}`;
      const signed = { method: 'GET', uri: path, origin: stranger.name, destination: here.name, content: undefined };
      const sig = stranger.key.signatureOf(signed);
      const authorization = `X-Matrix origin="${stranger.name}",destination="${here.name}",key="${stranger.key.id}",sig="${sig}"`;
      const sent = request(`https://${here.name}${path}`, { headers: { authorization }, ca: authority.certificate });
      sent.end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      const parts = await buffer(response);
      expect(response.headers['content-type']).toMatch(/^multipart\/mixed; boundary=/);
      expect(parts.length).toBe(Number(response.headers['content-length']));
      const start = parts.indexOf('Content-Type: image/jpeg\r\nContent-Disposition: inline; filename="thumbnail.jpeg"');
      const picture = parts.subarray(parts.indexOf('\r\n\r\n', start) + 4, parts.lastIndexOf('\r\n--'));
      expect((await sharp(picture).metadata()).width).toBe(320);
      expect((await stranger.ask(here, 'GET', path.replace('width=320', 'width=0'))).status).toBe(400);
    } finally {
      await Promise.all([here.remove(), there.remove(), stranger.stop()]);
    }
  });
});
