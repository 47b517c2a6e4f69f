import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '#config/config';
import { Outgoing } from '#http/outgoing/outgoing';
import { systemClock } from '#kernel/clock';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { type BundledScript, bundleScript } from '#testing/start-script';
import type { KeptContent } from '../kept-content.js';
import { ReaderLost } from '../pictures/picture-reader.js';
import { Pictures } from '../pictures/pictures.js';
import { FileMediaStore } from '../store/files/file-media-store.js';
import type { ContentHash, ReceivedContent } from '../store/media-store.js';
import { PreviewImages } from './preview-images.js';
import { Previews } from './previews.js';
import { WebReader } from './web-reader.js';

type Answerer = (request: IncomingMessage, response: ServerResponse) => void;

const folder = mkdtempSync(join(tmpdir(), 'annals-previews-'));
const routes = new Map<string, Answerer>();
const calls: string[] = [];

let web: Server;
let origin: string;
let program: BundledScript;
let outgoing: Outgoing;
let pictures: Pictures;
let images: PreviewImages;
let previews: Previews;
let now = 0;
/** Content that was let go of. */
const freed: ContentHash[] = [];

beforeAll(async () => {
  program = await bundleScript('libs/media/src/pictures/picture-process.ts');
  web = createServer((request, response) => {
    calls.push(request.url!);
    const answer = routes.get(request.url!.split('?')[0]!);
    if (answer === undefined) response.writeHead(404).end();
    else answer(request, response);
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  const store = new FileMediaStore(folder);
  pictures = new Pictures(store, { program: program.path });
  // As one of federation may be told; a page is looked at where the operator names its host.
  outgoing = new Outgoing({ allowPrivate: true, connectMs: 2000 });
  const config = loadConfig({
    ANNALS_SERVER_NAME: 'a.example',
    ANNALS_PREVIEWS_PRIVATE_HOSTS: origin.slice('http://'.length),
    ANNALS_PREVIEWS_DENY: 'denied.example',
  });
  const kept = {
    keepPreview: async (received: ReceivedContent) => received.keep().then(() => true),
    notePreview: (hash: ContentHash) => store.keepDerived(hash, 'preview.json', Buffer.from('{}')),
    free: async (hash: ContentHash) => freed.push(hash) > 0,
  } as unknown as KeptContent;
  const clock = { ...systemClock, elapsed: () => now };
  images = new PreviewImages(kept, pictures, store, clock);
  previews = new Previews(new WebReader(outgoing, config), images, clock, config);
});
beforeEach(() => {
  now += 25 * 60 * 60_000;
  routes.clear();
  calls.length = 0;
  freed.length = 0;
});
afterEach(() => void vi.restoreAllMocks());
afterAll(async () => {
  web.closeAllConnections();
  web.close();
  pictures.onModuleDestroy();
  await outgoing.onModuleDestroy();
  await program.remove();
  await rm(folder, { recursive: true, force: true });
});

const page =
  (html: string, type = 'text/html'): Answerer =>
  (_, response) =>
    void response.writeHead(200, { 'content-type': type }).end(html);
const picture =
  (content: Buffer, type = 'image/png'): Answerer =>
  (_, response) =>
    void response.writeHead(200, { 'content-type': type }).end(content);
const leadTo =
  (location: string): Answerer =>
  (_, response) =>
    void response.writeHead(302, { location }).end();
const small = (): Promise<Buffer> =>
  sharp({ create: { width: 48, height: 32, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
const find = (path: string): Promise<JsonObject> => previews.find(`${origin}${path}`, ALICE);
const ALICE = { by: '@alice:a.example' };
const NOTHING = { errcode: 'M_NOT_FOUND', status: 404 };

describe('previews of pages', () => {
  it('tell what the page says, with its picture as a medium of ours', async () => {
    const content = await small();
    routes.set('/page', page('<meta property="og:title" content="Hello"><meta property="og:image" content="pic.png">'));
    routes.set('/pic.png', picture(content, 'text/plain'));
    expect(await find('/page#part')).toEqual({
      'og:title': 'Hello',
      'og:image': expect.stringMatching(/^mxc:\/\/a\.example\/preview_[0-9a-f]{64}$/),
      'og:image:type': 'image/png',
      'og:image:width': 48,
      'og:image:height': 32,
      'matrix:image:size': content.length,
    });
  });

  it('are made once for all who ask, and again an hour later', async () => {
    routes.set('/page', page('<title>One</title>'));
    const all = await Promise.all(Array.from({ length: 20 }, () => find('/page')));
    expect(new Set(all.map((one) => one['og:title']))).toEqual(new Set(['One']));
    await find('/page');
    expect(calls).toEqual(['/page']);
    now += 60 * 60_000 + 1;
    routes.set('/page', page('<title>Two</title>'));
    expect(await find('/page')).toEqual({ 'og:title': 'Two' });
  });

  it('are of where an address leads to, a few steps on', async () => {
    routes.set('/a', leadTo('/b?x=1'));
    routes.set('/b', leadTo(`${origin}/c`));
    routes.set('/c', page('<title>There</title>'));
    expect(await find('/a')).toEqual({ 'og:title': 'There' });
    routes.set('/round', leadTo('/round'));
    await expect(find('/round')).rejects.toMatchObject(NOTHING);
    expect(calls.filter((path) => path === '/round')).toHaveLength(6);
  });

  it('are a picture where there is one, and nothing of what is neither', async () => {
    routes.set('/pic', picture(await small()));
    expect(await find('/pic')).toMatchObject({ 'og:image:width': 48, 'og:image:type': 'image/png' });
    routes.set('/file', page('%PDF', 'application/pdf'));
    expect(await find('/file')).toEqual({});
    routes.set('/lie', picture(Buffer.from('<svg/>')));
    expect(await find('/lie')).toEqual({});
    expect(freed).toHaveLength(1);
    routes.set('/page', page('<title>T</title><meta property="og:image" content="/none.png">'));
    expect(await find('/page')).toEqual({ 'og:title': 'T' });
  });

  it('have no picture while none can be read, and have it some minutes later', async () => {
    routes.set('/page', page('<title>T</title><meta property="og:image" content="/pic">'));
    routes.set('/pic', picture(await small()));
    for (const why of [new ReaderLost('ended with 1'), new MatrixError('M_LIMIT_EXCEEDED')]) {
      const read = vi.spyOn(pictures, 'once').mockRejectedValue(why);
      expect(await find('/page')).toEqual({ 'og:title': 'T' });
      expect(await find('/pic')).toEqual({});
      read.mockRestore();
      now += 5 * 60_000 + 1;
      expect(await find('/page')).toMatchObject({ 'og:title': 'T', 'og:image:width': 48 });
      expect(await find('/pic')).toMatchObject({ 'og:image:width': 48 });
      now += 60 * 60_000;
    }
  });

  it('are not of what is in no network that anybody reaches, also where an address leads there', async () => {
    const inside = createServer(
      (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<title>secret</title>'),
    );
    inside.listen(0, '127.0.0.1');
    await once(inside, 'listening');
    const { port } = inside.address() as AddressInfo;
    try {
      const secret = `http://127.0.0.1:${port}/`;
      for (const url of [
        secret,
        `http://localhost:${port}/`,
        `http://[::ffff:127.0.0.1]:${port}/`,
        `http://0:${port}/`,
      ]) {
        await expect(previews.find(url, ALICE)).rejects.toMatchObject(NOTHING);
      }
      routes.set('/a', leadTo(secret));
      await expect(find('/a')).rejects.toMatchObject(NOTHING);
      routes.set('/page', page(`<title>T</title><meta property="og:image" content="${secret}">`));
      expect(await find('/page')).toEqual({ 'og:title': 'T' });
      routes.set('/b', leadTo('http://denied.example/'));
      await expect(find('/b')).rejects.toMatchObject(NOTHING);
    } finally {
      inside.closeAllConnections();
      inside.close();
    }
  });

  it('are refused of what is no address, or of a host that the operator names', async () => {
    for (const url of ['x', 'ftp://example.org/', 'http://denied.example/', 'https://a:b@example.org/']) {
      await expect(previews.find(url, ALICE)).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM', status: 400 });
    }
  });

  it('read no more of a page than its beginning, and nothing that is packed', async () => {
    let sent = 0;
    routes.set('/endless', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.write('<title>Endless</title>');
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536;
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    expect(await find('/endless')).toEqual({ 'og:title': 'Endless' });
    expect(sent).toBeLessThan(20 * 1024 * 1024);
    routes.set('/packed', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end('x');
    });
    await expect(find('/packed')).rejects.toMatchObject(NOTHING);
    routes.set('/large', (_, response) => {
      response.writeHead(200, { 'content-type': 'image/png' });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    await expect(find('/large')).rejects.toMatchObject(NOTHING);
  });

  it('fail where this server does, and are tried again at once, also when the time for the page is up by then', async () => {
    routes.set('/pic', picture(await small()));
    const deadline = new AbortController();
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(deadline.signal);
    const read = vi.spyOn(pictures, 'once').mockImplementation(async () => {
      deadline.abort();
      throw new Error('the disk is gone');
    });
    await expect(find('/pic')).rejects.toThrow('the disk is gone');
    read.mockRestore();
    // Of a page that does not come in time nothing is known.
    await expect(find('/other')).rejects.toMatchObject(NOTHING);
    timeout.mockRestore();
    expect(await find('/pic')).toMatchObject({ 'og:image:width': 48 });
  });

  it('are not tried again for some minutes where there was nothing', async () => {
    await expect(find('/none')).rejects.toMatchObject(NOTHING);
    await expect(find('/none')).rejects.toMatchObject(NOTHING);
    expect(calls).toEqual(['/none']);
    now += 5 * 60_000 + 1;
    routes.set('/none', page('<title>Here</title>'));
    expect(await find('/none')).toEqual({ 'og:title': 'Here' });
  });

  it('are made again where their picture had to give way to others', async () => {
    routes.set('/page', page('<title>T</title><meta property="og:image" content="/pic">'));
    routes.set('/pic', picture(await small()));
    const told = await find('/page');
    await find('/page');
    expect(calls).toEqual(['/page', '/pic']);
    vi.spyOn(images, 'has').mockImplementation((hash) => told['og:image'] !== `mxc://a.example/preview_${hash}`);
    expect(await find('/page')).toEqual(told);
    expect(calls).toEqual(['/page', '/pic', '/page', '/pic']);
  });

  it('let their pictures go after a day', async () => {
    routes.set('/pic', picture(await small()));
    await find('/pic');
    now += 24 * 60 * 60_000 + 1;
    routes.set(
      '/other',
      picture(
        await sharp(await small())
          .resize(20, 20)
          .png()
          .toBuffer(),
      ),
    );
    await find('/other');
    expect(freed).toHaveLength(1);
  });
});
