import 'reflect-metadata';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { request as httpRequest, type ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { FakePeer, type PeerRoute } from '#testing/fake-peer';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const DOWNLOAD = '/_matrix/client/v1/media/download';
const SIGNED = '/_matrix/federation/v1/media/download';
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: multipart/mixed; boundary=b\r\n';

/** How many files and connections this process has open. */
const openThings = (): number => readdirSync('/proc/self/fd').length;

describe('media, asked for by who means no good', () => {
  let ours: FederatedServer;
  let peer: FakePeer;
  let alice: FederatedUser;

  beforeAll(async () => {
    [ours, peer] = await Promise.all([FederatedServer.start({ ANNALS_MEDIA_MAX_UPLOAD: '100K' }), FakePeer.start()]);
    alice = await ours.register('alice');
  });
  afterAll(async () => {
    await Promise.all([ours.stop(), peer.stop()]);
  });

  const get = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${ours.address}${path}`, { ...init, headers: { authorization: `Bearer ${alice.token}`, ...init.headers } });
  const refusal = async (answer: Response): Promise<[number, string]> => [
    answer.status,
    ((await answer.json()) as { errcode: string }).errcode,
  ];
  const upload = async (body: string, query = '', type = 'text/plain'): Promise<string> => {
    const answer = await get(`/_matrix/media/v3/upload${query}`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    });
    return ((await answer.json()) as { content_uri: string }).content_uri.slice('mxc://'.length);
  };
  const serve = (id: string, route: PeerRoute): string => {
    peer.on('GET', `${SIGNED}/(${id})`, route);
    return `${peer.name}/${id}`;
  };
  /** Sends what is no proper answer, and goes away. */
  const raw = (response: ServerResponse, text: string): undefined => void response.socket!.end(text);

  it('are called nothing that ends a header, or makes a file of another kind, whatever name they are given', async () => {
    const names = [
      'a\r\nSet-Cookie: x=1',
      'a";filename="b.exe',
      'a\\"b',
      'gpj.\u202Eexe',
      '\u{1F980}'.repeat(300),
      'é'.repeat(20_000),
      '\0\u2028',
      "it's (100%)*",
    ];
    for (const name of names) {
      const query = `?filename=${encodeURIComponent(name)}`;
      const answer = await get(`/_matrix/media/v3/upload${query}`, { method: 'POST', body: 'x' });
      // Of what no request line holds there is nothing to say.
      if (answer.status === 431) continue;
      const { content_uri: uri } = (await answer.json()) as { content_uri: string };
      const path = `${DOWNLOAD}/${uri.slice('mxc://'.length)}`;
      for (const given of [await get(path), await get(`${path}/${encodeURIComponent(name.slice(0, 200))}`)]) {
        const disposition = given.headers.get('content-disposition') ?? '';
        expect([given.status, given.headers.has('set-cookie')]).toEqual([200, false]);
        expect(disposition).toMatch(/^inline(; filename(="[ !#-[\]-~]*"|\*=utf-8''[\w%.!~*-]+))?$/);
        expect(disposition.length).toBeLessThan(4000);
      }
    }
  });

  it('are shown within a page only where they are of a kind that runs nothing', async () => {
    const kinds = async (types: readonly string[]): Promise<string[]> => {
      const given = await Promise.all(types.map(async (type) => get(`${DOWNLOAD}/${await upload('x', '', type)}`)));
      return [...new Set(given.map(({ headers }) => headers.get('content-disposition') ?? ''))];
    };
    expect(await kinds(['image/png', 'IMAGE/PNG', 'text/plain; charset=utf-8', 'video/mp4'])).toEqual(['inline']);
    const run = [
      'text/html',
      'image/svg+xml',
      'application/xhtml+xml',
      'text/xml',
      'application/pdf',
      'text/javascript',
    ];
    expect(await kinds([...run, 'image/png, text/html', 'multipart/x-mixed-replace; boundary=x'])).toEqual([
      'attachment',
    ]);
  });

  it('are guarded in every answer of their paths that says something of them, errors too', async () => {
    const id = await upload('x');
    const answers = [
      await get(`${DOWNLOAD}/${id}`),
      await get(`${DOWNLOAD}/${id}`, { headers: { range: 'bytes=9-' } }),
      await get(`${DOWNLOAD}/${id}`, { headers: { 'if-none-match': '*' } }),
      await get(`${DOWNLOAD}/${ours.name}/unknown`),
      await get(`/_matrix/media/v3/download/${peer.name}/unknown?allow_remote=false`),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 416, 304, 404, 404]);
    for (const { headers } of answers) {
      expect(headers.get('content-security-policy')).toContain("sandbox; default-src 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin');
    }
    expect(peer.calls.filter(({ path }) => path.includes('unknown'))).toEqual([]);
  });

  it('are given to other servers that sign for it, ours alone, and by no other name', async () => {
    const [, id = ''] = (await upload('for others')).split('/');
    const destination = ours.name as ServerName;
    const ask = async (path: string, authorization?: string): Promise<unknown> => {
      const { status, body } = await peer.ask(ours.origin, { destination, path, authorization });
      return [status, body['errcode']];
    };
    expect(await ask(`${SIGNED}/${id}`, '')).toEqual([401, 'M_UNAUTHORIZED']);
    expect(await ask(`${SIGNED}/unknown`)).toEqual([404, 'M_NOT_FOUND']);
    for (const bad of ['..%2Fx', 'a%00', 'x'.repeat(129)]) {
      expect([bad, await ask(`${SIGNED}/${bad}`)]).toEqual([bad, [400, 'M_INVALID_PARAM']]);
    }
    expect(await ask(`${SIGNED}/${id}?timeout_ms=-1`)).toEqual([400, 'M_INVALID_PARAM']);
    const away = serve('ofThePeer', () => ({ body: {} }));
    expect(await ask(`${SIGNED}/${away.split('/')[1]}`)).toEqual([404, 'M_NOT_FOUND']);
  });

  it('of a server that lies about how long they are, begins without end, or leads elsewhere leave nothing', async () => {
    const whole = '--b\r\n\r\n{}\r\n--b\r\n\r\nx\r\n--b--';
    const answers = [
      `${HEAD}content-length: ${whole.length - 8}\r\n\r\n${whole}`,
      `${HEAD}content-length: 5000\r\n\r\n${whole.slice(0, -8)}`,
      `${HEAD}content-length: 10\r\n\r\n${whole}`,
      `${HEAD}content-length: 10\r\ncontent-length: 11\r\n\r\n${whole}`,
      `${HEAD}content-length: -1\r\n\r\n${whole}`,
      `${HEAD}content-length: 99999999999999999999\r\n\r\n${whole}`,
      `${HEAD}content-encoding: gzip\r\ncontent-length: ${whole.length}\r\n\r\n${whole}`,
      `${HEAD}\r\n${'preamble '.repeat(100_000)}${whole}`,
      `${HEAD}\r\n--b\r\n\r\n${'{}'.repeat(100_000)}\r\n--b\r\n\r\nx\r\n--b--`,
      `HTTP/1.1 200 OK\r\ncontent-type: multipart/mixed; boundary="${'b'.repeat(300)}"\r\n\r\n${whole}`,
      'HTTP/1.1 307 Moved\r\nlocation: https://localhost/\r\ncontent-length: 0\r\n\r\n',
      'HTTP/1.1 204 No Content\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(20_000)}\r\n${whole}`,
    ];
    for (const [i, answer] of answers.entries()) {
      const id = serve(`lie${i}`, (_, response) => raw(response, answer));
      expect([i, ...(await refusal(await get(`${DOWNLOAD}/${id}`)))]).toEqual([
        i,
        502,
        expect.stringMatching(/^M_(UNKNOWN|TOO_LARGE)$/),
      ]);
    }
    expect(ours.sizesIn('media/incoming')).toEqual([]);
  });

  it.runIf(process.platform === 'linux')(
    'leave no file open where who asks goes away before, or in the midst',
    async () => {
      const id = await upload('x'.repeat(90_000));
      await (await get(`${DOWNLOAD}/${id}`)).text();
      const before = openThings();
      for (let i = 0; i < 40; i++) {
        const sent = httpRequest(`${ours.address}${DOWNLOAD}/${id}`, {
          agent: false,
          method: i % 4 === 0 ? 'HEAD' : 'GET',
          headers: { authorization: `Bearer ${alice.token}` },
        });
        sent.on('error', () => {}).end();
        if (i % 2 === 0) await once(sent, 'response');
        sent.destroy();
      }
      await expect.poll(openThings).toBeLessThanOrEqual(before + 2);
    },
  );
});
