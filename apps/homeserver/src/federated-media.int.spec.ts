import 'reflect-metadata';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakePeer, type PeerRoute } from '#testing/fake-peer';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const DOWNLOAD = '/_matrix/client/v1/media/download';
const SIGNED = '/_matrix/federation/v1/media/download/(.*?)';
const OPEN = '/_matrix/media/v3/download/(.*?)';

interface Given {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Content in two parts, as servers send it. */
function inParts(response: ServerResponse, body: string | Buffer, headers = 'Content-Type: text/plain'): void {
  response.writeHead(200, { 'content-type': 'multipart/mixed; boundary="gc0p4Jq0M2Yt08j34c0p"' });
  response.write('--gc0p4Jq0M2Yt08j34c0p\r\nContent-Type: application/json\r\n\r\n{}\r\n');
  response.write(`--gc0p4Jq0M2Yt08j34c0p\r\n${headers}\r\n\r\n`);
  response.write(body);
  response.end('\r\n--gc0p4Jq0M2Yt08j34c0p--\r\n');
}

describe('media of other servers', () => {
  let ours: FederatedServer;
  let theirs: FederatedServer;
  let peer: FakePeer;
  let alice: FederatedUser;
  let bob: FederatedUser;

  beforeAll(async () => {
    [ours, theirs, peer] = await Promise.all([
      FederatedServer.start({ ANNALS_MEDIA_MAX_UPLOAD: '100K', ANNALS_MEDIA_CACHE: '150K' }),
      FederatedServer.start(),
      FakePeer.start(),
    ]);
    [alice, bob] = await Promise.all([ours.register('alice'), theirs.register('bob')]);
  });
  afterAll(async () => {
    await Promise.all([ours.stop(), theirs.stop(), peer.stop()]);
  });

  const request = async (server: FederatedServer, token: string | undefined, path: string): Promise<Given> => {
    const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${server.address}${path}`, { headers });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const get = (media: string, query = ''): Promise<Given> => request(ours, alice.token, `${DOWNLOAD}/${media}${query}`);
  const errcodeOf = ({ status, text }: Given): [number, string] => [
    status,
    (JSON.parse(text) as { errcode: string }).errcode,
  ];
  const upload = async (body: string | Buffer, query = ''): Promise<string> => {
    const answer = await fetch(`${theirs.address}/_matrix/media/v3/upload${query}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bob.token}`, 'content-type': 'image/png' },
      body: new Blob([new Uint8Array(Buffer.from(body))]),
    });
    return ((await answer.json()) as { content_uri: string }).content_uri.slice('mxc://'.length);
  };
  const callsFor = (id: string): number => peer.calls.filter(({ path }) => path.includes(`/${id}?`)).length;
  /** One medium of the fake peer. */
  const serve = (id: string, route: PeerRoute): string => {
    peer.on('GET', SIGNED.replace('(.*?)', `(${id})`), route);
    return `${peer.name}/${id}`;
  };

  it('are given as their own server gives them, fetched once, and frozen for who does not say who they are', async () => {
    const id = await upload('a picture', '?filename=M%C3%A4rz.png');
    const first = await get(id);
    expect([first.status, first.text, first.headers.get('content-type')]).toEqual([200, 'a picture', 'image/png']);
    expect(first.headers.get('content-disposition')).toBe("inline; filename*=utf-8''M%C3%A4rz.png");
    expect((await request(ours, undefined, `/_matrix/media/v3/download/${id}`)).status).toBe(404);
    expect((await request(ours, alice.token, `/_matrix/media/v3/download/${id}`)).text).toBe('a picture');
    await theirs.whileAway(async () => expect((await get(id)).text).toBe('a picture'));
  });

  it('are asked for once at a time, whoever waits for them', async () => {
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const id = serve('busy', async (_, response) => {
      await begun;
      inParts(response, 'together');
      return undefined;
    });
    const all = Promise.all(Array.from({ length: 10 }, () => get(id)));
    await expect.poll(() => callsFor('busy')).toBe(1);
    begin();
    expect((await all).map(({ text }) => text)).toEqual(Array.from({ length: 10 }, () => 'together'));
    expect(callsFor('busy')).toBe(1);
  });

  it('of a server that is slow hold up no other, and leave it connections for all else', async () => {
    const slow = await FakePeer.start(11);
    const held: ServerResponse[] = [];
    slow.on('GET', SIGNED, (_, response) => {
      held.push(response);
      return undefined;
    });
    const waiting = Array.from({ length: 40 }, (_, i) => get(`${slow.name}/slow${i}`));
    await expect.poll(() => held.length).toBe(4);
    const id = serve('quick', (_, response) => {
      inParts(response, 'quick');
      return undefined;
    });
    expect((await get(id)).text).toBe('quick');
    expect(held).toHaveLength(4);
    slow.on('GET', SIGNED, (_, response) => {
      inParts(response, 'at last');
      return undefined;
    });
    for (const response of held) inParts(response, 'at last');
    expect((await Promise.all(waiting)).every(({ text }) => text === 'at last')).toBe(true);
    await slow.stop();
  });

  it('are waited for by their server, and said not to be there yet', async () => {
    const created = await fetch(`${theirs.address}/_matrix/media/v1/create`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bob.token}` },
    });
    const id = ((await created.json()) as { content_uri: string }).content_uri.slice('mxc://'.length);
    expect(errcodeOf(await get(id, '?timeout_ms=10'))).toEqual([504, 'M_NOT_YET_UPLOADED']);
    const waiting = get(id);
    await fetch(`${theirs.address}/_matrix/media/v3/upload/${id}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${bob.token}` },
      body: 'at last',
    });
    expect((await waiting).text).toBe('at last');
  });

  it('are asked for without a signature where their server knows nothing of that, and then not of any other', async () => {
    const old = serve('old', () => ({ status: 404, body: { errcode: 'M_UNRECOGNIZED', error: 'no' } }));
    peer.on('GET', OPEN.replace('(.*?)', '(.*/old)'), (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html', 'content-disposition': 'inline; filename=old.html' });
      response.end('<script>');
      return undefined;
    });
    const answer = await get(old);
    expect([answer.text, answer.headers.get('content-disposition')]).toEqual([
      '<script>',
      'attachment; filename="old.html"',
    ]);
    const open = peer.calls.find(({ path }) => path.startsWith('/_matrix/media/'))!;
    expect(open.path).toContain('allow_remote=false');
    expect(open.headers.authorization).toBeUndefined();
  });

  it('that their server does not have are not there, and not asked for again at once', async () => {
    const id = serve('absent', () => ({ status: 404, body: { errcode: 'M_NOT_FOUND', error: 'no' } }));
    expect(errcodeOf(await get(id))).toEqual([404, 'M_NOT_FOUND']);
    expect(errcodeOf(await get(id))).toEqual([404, 'M_NOT_FOUND']);
    expect(callsFor('absent')).toBe(1);
  });

  it('that are more than their server gives out are too large, and not asked for again at once', async () => {
    for (const status of [502, 413]) {
      const id = serve(`vast${status}`, () => ({ status, body: { errcode: 'M_TOO_LARGE', error: 'no' } }));
      expect(errcodeOf(await get(id))).toEqual([502, 'M_TOO_LARGE']);
      expect(errcodeOf(await get(id))).toEqual([502, 'M_TOO_LARGE']);
      expect(callsFor(`vast${status}`)).toBe(1);
    }
  });

  it('come from where their server keeps them', async () => {
    const away = await FakePeer.start(9);
    away.on('GET', '/bucket/picture', (_, response) => {
      response.writeHead(200, { 'content-type': 'image/png' });
      response.end('from a bucket');
      return undefined;
    });
    const id = serve('moved', (_, response) => {
      inParts(response, '', `Location: https://${away.name}/bucket/picture?signed=1`);
      return undefined;
    });
    const answer = await get(id);
    expect([answer.status, answer.text, answer.headers.get('content-type')]).toEqual([
      200,
      'from a bucket',
      'image/png',
    ]);
    expect(away.calls[0]?.headers.authorization).toBeUndefined();
    await away.stop();
    const bad = ['http://localhost/x', 'file:///etc/passwd', 'nonsense', `https://${away.name}/x`];
    for (const [i, location] of bad.entries()) {
      const led = serve(`led${i}`, (_, response) => {
        inParts(response, '', `Location: ${location}`);
        return undefined;
      });
      expect(errcodeOf(await get(led))).toEqual([502, 'M_UNKNOWN']);
    }
  });

  it('that are larger than is taken, end too early, or are no content at all, leave nothing', async () => {
    const large = serve('large', (_, response) => {
      inParts(response, Buffer.alloc(100 * 1024 + 1));
      return undefined;
    });
    expect(errcodeOf(await get(large))).toEqual([502, 'M_TOO_LARGE']);
    const endless = serve('endless', async (_, response) => {
      response.writeHead(200, { 'content-type': 'multipart/mixed; boundary=b' });
      response.write('--b\r\n\r\n{}\r\n--b\r\n\r\n');
      while (!response.destroyed)
        if (!response.write(Buffer.alloc(65_536)))
          await Promise.race([once(response, 'drain'), once(response, 'close')]);
      return undefined;
    });
    expect(errcodeOf(await get(endless))).toEqual([502, 'M_TOO_LARGE']);
    const early = serve('early', (_, response) => {
      response.writeHead(200, { 'content-type': 'multipart/mixed; boundary=b' });
      response.end('--b\r\n\r\n{}\r\n--b\r\n\r\nhalf');
      return undefined;
    });
    expect(errcodeOf(await get(early))).toEqual([502, 'M_UNKNOWN']);
    const cut = serve('cut', (_, response) => {
      response.writeHead(200, { 'content-type': 'multipart/mixed; boundary=b' });
      response.write('--b\r\n\r\n{}\r\n--b\r\n\r\nhalf', () => response.destroy());
      return undefined;
    });
    expect(errcodeOf(await get(cut))).toEqual([502, 'M_UNKNOWN']);
    const other = serve('other', () => ({ body: {} }));
    expect(errcodeOf(await get(other))).toEqual([502, 'M_UNKNOWN']);
    expect(errcodeOf(await get('gone.invalid/abc'))).toEqual([502, 'M_UNKNOWN']);
    expect(ours.sizesIn('media/incoming')).toEqual([]);
  });

  it('say of themselves nothing that a browser would run, or that ends a header', async () => {
    const id = serve('sly', (_, response) => {
      inParts(
        response,
        'x',
        "Content-Type: text/html;\x01 a\r\nContent-Disposition: inline; filename*=utf-8''a%0d%0ab",
      );
      return undefined;
    });
    const { headers } = await get(id);
    expect([headers.get('content-type'), headers.get('content-disposition')]).toEqual([
      'application/octet-stream',
      'attachment; filename="ab"',
    ]);
  });

  it('give way where they are more than is kept, and their content with them', async () => {
    const ids = ['one', 'two', 'three', 'four'].map((name, i) =>
      serve(name, (_, response) => {
        inParts(response, Buffer.alloc(50 * 1024, i + 1));
        return undefined;
      }),
    );
    for (const id of ids) expect((await get(id)).status).toBe(200);
    const bytes = () => ours.sizesIn('media/content').reduce((sum, size) => sum + size, 0);
    await expect.poll(bytes).toBeLessThanOrEqual(150 * 1024);
    // What gave way is fetched again.
    for (const id of ids) expect((await get(id)).status).toBe(200);
    expect(['one', 'two', 'three', 'four'].reduce((sum, name) => sum + callsFor(name), 0)).toBeGreaterThan(4);
  });
});
