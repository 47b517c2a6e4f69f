import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MSC4108RendezvousSession } from 'matrix-js-sdk/lib/rendezvous/transports/MSC4108RendezvousSession.js';
import { Homeserver } from './support/homeserver.js';

const PATH = '/_matrix/client/unstable/org.matrix.msc4108/rendezvous';

describe('the rendezvous that clients in use know', () => {
  let server: Homeserver;
  beforeAll(async () => void (server = await Homeserver.start()));
  afterAll(() => server.remove());

  const ask = (url: string, method: string, headers: Record<string, string> = {}, body?: string): Promise<Response> =>
    fetch(url, { method, headers, body });
  const begin = async (text: string): Promise<{ url: string; etag: string }> => {
    const answer = await ask(`${server.base}${PATH}`, 'POST', { 'content-type': 'text/plain' }, text);
    expect(answer.status).toBe(201);
    const { url } = (await answer.json()) as { url: string };
    return { url, etag: answer.headers.get('etag')! };
  };

  test('lets two of matrix-js-sdk talk in turns', async () => {
    const failed: unknown[] = [];
    const onFailure = (reason: unknown): void => void failed.push(reason);
    const scanned = new MSC4108RendezvousSession({ onFailure, fallbackRzServer: `${server.base}${PATH}` });
    await scanned.send('from the one that shows the code');
    const other = new MSC4108RendezvousSession({ onFailure, url: scanned.url! });
    expect(await other.receive()).toBe('from the one that shows the code');
    await other.send('from the one that scanned it');
    expect(await scanned.receive()).toBe('from the one that scanned it');
    await scanned.send('ünï');
    expect(await other.receive()).toBe('ünï');
    expect(failed).toEqual([]);
    await scanned.close();
    expect((await ask(scanned.url!, 'GET')).status).toBe(404);
  });

  test('tells versions apart, and lets nobody write over what they have not read', async () => {
    const { url, etag } = await begin('one');
    const same = await ask(url, 'GET', { 'if-none-match': etag });
    expect([same.status, await same.text(), same.headers.get('etag')]).toEqual([304, '', etag]);
    const read = await ask(url, 'GET');
    expect([read.status, await read.text()]).toEqual([200, 'one']);
    expect(Object.fromEntries(read.headers)).toMatchObject({
      'content-type': 'text/plain',
      'cache-control': 'no-store, no-transform',
      'x-content-type-options': 'nosniff',
      expires: expect.stringMatching(/ GMT$/),
      'last-modified': expect.stringMatching(/ GMT$/),
      'access-control-expose-headers': expect.stringContaining('ETag'),
    });
    const [since, until] = ['last-modified', 'expires'].map((name) => Date.parse(read.headers.get(name)!));
    expect(until! - since!).toBeGreaterThan(200_000);
    const written = await ask(url, 'PUT', { 'if-match': `W/${etag}` }, 'two');
    expect([written.status, written.headers.get('etag') === etag]).toEqual([202, false]);
    const late = await ask(url, 'PUT', { 'if-match': etag }, 'three');
    expect([late.status, await late.json()]).toEqual([
      412,
      expect.objectContaining({ errcode: 'M_UNKNOWN', 'org.matrix.msc4108.errcode': 'M_CONCURRENT_WRITE' }),
    ]);
    expect(await (await ask(url, 'GET')).text()).toBe('two');
    expect((await ask(url, 'DELETE')).status).toBe(204);
    expect((await ask(url, 'PUT', { 'if-match': etag }, 'four')).status).toBe(404);
  });

  test('takes no more than small texts, shows none as a page, and is not said to be there', async () => {
    const { url, etag } = await begin('x'.repeat(4096));
    const refused = [
      await ask(`${server.base}${PATH}`, 'POST', {}, 'x'.repeat(4097)),
      await ask(url, 'PUT', { 'if-match': etag }, 'x'.repeat(4097)),
      await ask(url, 'PUT', {}, 'no version'),
      await ask(`${server.base}${PATH}/nothing`, 'GET'),
    ];
    expect(refused.map(({ status }) => status)).toEqual([413, 413, 400, 404]);
    // What fetch says for itself cannot be said for it.
    const [page] = (await once(get(url, { headers: { 'sec-fetch-mode': 'navigate' } }), 'response')) as [
      IncomingMessage,
    ];
    expect(page.resume().statusCode).toBe(403);
    const asked = await ask(url, 'OPTIONS', { 'access-control-request-headers': 'if-match' });
    expect(asked.headers.get('access-control-allow-headers')).toContain('If-Match');
    const { body } = await server.request('GET', '/_matrix/client/versions');
    expect(body.unstable_features).not.toHaveProperty(['org.matrix.msc4108']);
  });
});
