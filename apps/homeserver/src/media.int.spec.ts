import 'reflect-metadata';
import { request as httpRequest } from 'node:http';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type RequestParts, WholeServer } from '../test/whole-server.js';

const DOWNLOAD = '/_matrix/client/v1/media/download';
const UPLOAD = '/_matrix/media/v3/upload';
const MISSING = 'media that is not there';

/** All files of a folder, whatever folders they are in. */
function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

describe('media over HTTP', () => {
  let server: WholeServer;
  let alice: { userId: string; token: string };
  let bob: { userId: string; token: string };

  beforeAll(async () => {
    server = await WholeServer.start({ ANNALS_MEDIA_MAX_UPLOAD: '64K', ANNALS_FEDERATION: 'off' });
    alice = await server.register('alice');
    bob = await server.register('bob');
  });
  afterAll(() => server.close());

  const content = (): string[] => filesIn(join(server.folder, 'media/content'));
  const incoming = (): string[] => filesIn(join(server.folder, 'media/incoming'));
  const json = ({ text }: Answer): Record<string, string> => JSON.parse(text) as Record<string, string>;
  const upload = async (
    body: string | Buffer,
    type = 'image/png',
    query = '',
    token = alice.token,
  ): Promise<string> => {
    const headers = { 'content-type': type };
    const answer = await server.request('POST', `${UPLOAD}${query}`, { token, body, headers });
    expect([answer.status, answer.text]).toEqual([200, answer.text]);
    return json(answer)['content_uri']!.slice('mxc://'.length);
  };
  const get = (path: string, headers: RequestParts['headers'] = {}, token = bob.token) =>
    server.request('GET', path, { token, headers });
  const anybody = (path: string) => server.request('GET', path);
  const uploadInPieces = async (body: string | Buffer): Promise<{ status: number; body: Record<string, string> }> => {
    const answer = await fetch(`${server.origin}${UPLOAD}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${alice.token}` },
      body: new Blob([body]).stream(),
      duplex: 'half',
    } as RequestInit);
    return { status: answer.status, body: (await answer.json()) as Record<string, string> };
  };

  it('are given to others as they were uploaded, with what keeps browsers from running them', async () => {
    const id = await upload('not a picture', 'image/png', '?filename=rock.png');
    expect(id).toMatch(/^a\.example\/[A-Za-z]{24}$/);
    const answer = await get(`${DOWNLOAD}/${id}`);
    expect(answer).toMatchObject({ status: 200, text: 'not a picture' });
    expect(answer.headers).toMatchObject({
      'content-type': 'image/png',
      'content-length': '13',
      'content-disposition': 'inline; filename="rock.png"',
      'content-security-policy':
        "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';",
      'cross-origin-resource-policy': 'cross-origin',
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      'access-control-allow-origin': '*',
    });
    const page = await upload('<script>', 'text/html', '?filename=M%C3%A4rz%0D%0A.html');
    expect((await get(`${DOWNLOAD}/${page}`)).headers['content-disposition']).toBe(
      "attachment; filename*=utf-8''M%C3%A4rz.html",
    );
    const named = await get(`${DOWNLOAD}/${id}/other%0D%0Aname%22.png`);
    expect(named.headers['content-disposition']).toBe("inline; filename*=utf-8''othername%22.png");
  });

  it('have the type that browsers take for nothing where none was given, or none that can be read', async () => {
    for (const type of ['', 'nonsense', `image/${'x'.repeat(3000)}`]) {
      const answer = await server.request('POST', UPLOAD, {
        token: alice.token,
        body: 'x',
        headers: type === '' ? {} : { 'content-type': type },
      });
      const id = json(answer)['content_uri']!.slice('mxc://'.length);
      const { headers } = await get(`${DOWNLOAD}/${id}`);
      expect([headers['content-type'], headers['content-disposition']]).toEqual([
        'application/octet-stream',
        'attachment',
      ]);
    }
  });

  it('may have no bytes at all, and come without a length', async () => {
    const empty = await upload('', 'text/plain');
    expect(await get(`${DOWNLOAD}/${empty}`)).toMatchObject({ status: 200, text: '' });
    const none = await server.request('POST', UPLOAD, { token: alice.token });
    expect(none.status).toBe(200);
    const { status, body } = await uploadInPieces('in pieces');
    expect(status).toBe(200);
    expect((await get(`${DOWNLOAD}/${body['content_uri']!.slice(6)}`)).text).toBe('in pieces');
  });

  it('are not given to who does not say who they are, on no path; old paths give all of it with a token', async () => {
    const id = await upload('for users');
    expect((await anybody(`${DOWNLOAD}/${id}`)).status).toBe(401);
    for (const version of ['v3', 'r0', 'v1']) {
      const path = `/_matrix/media/${version}/download/${id}`;
      expect(await anybody(path)).toMatchObject({
        status: 404,
        text: expect.stringContaining('M_NOT_FOUND'),
      });
      expect(await get(path)).toMatchObject({ status: 200, text: 'for users' });
      expect(await anybody(`${path}/name?access_token=${bob.token}`)).toMatchObject({ text: 'for users' });
      expect((await anybody(`${path}?access_token=wrong`)).status).toBe(401);
    }
    expect((await anybody(`${DOWNLOAD}/${id}?access_token=${bob.token}`)).status).toBe(401);
  });

  it('are uploaded by who has an account, and seen by guests', async () => {
    const guest = await server.register('', 'guest');
    const id = await upload('for guests');
    expect((await get(`${DOWNLOAD}/${id}`, {}, guest.token)).text).toBe('for guests');
    const refused = await server.request('POST', UPLOAD, { token: guest.token, body: 'x' });
    expect([refused.status, json(refused)['errcode']]).toEqual([403, 'M_GUEST_ACCESS_FORBIDDEN']);
    expect((await server.request('POST', UPLOAD, { body: 'x' })).status).toBe(401);
  });

  it('answer uploads of API v1 under the names of its documents', async () => {
    const answer = await server.request('POST', `/_matrix/media/v1/upload?access_token=${alice.token}`, {
      body: 'old',
    });
    const { 'content-uri': dashed, content_uri: underscored } = json(answer);
    expect(dashed).toMatch(/^mxc:\/\/a\.example\//);
    expect(underscored).toBe(dashed);
  });

  it('are given in part to who has the rest, and not at all to who has all of it', async () => {
    const id = await upload('0123456789');
    const path = `${DOWNLOAD}/${id}`;
    const etag = (await get(path)).headers.etag!;
    const part = await get(path, { range: 'bytes=2-5' });
    expect(part).toMatchObject({ status: 206, text: '2345' });
    expect(part.headers).toMatchObject({ 'content-range': 'bytes 2-5/10', 'content-length': '4' });
    expect(await get(path, { range: 'bytes=-3' })).toMatchObject({ status: 206, text: '789' });
    expect(await get(path, { range: 'bytes=2-5', 'if-range': etag })).toMatchObject({ status: 206 });
    expect(await get(path, { range: 'bytes=2-5', 'if-range': '"another"' })).toMatchObject({ status: 200 });
    expect(await get(path, { range: 'bytes=0-1,3-4' })).toMatchObject({ status: 200, text: '0123456789' });
    const beyond = await get(path, { range: 'bytes=10-' });
    expect([beyond.status, beyond.headers['content-range'], json(beyond)['errcode']]).toEqual([
      416,
      'bytes */10',
      'M_INVALID_PARAM',
    ]);
    for (const tags of [etag, `W/${etag}`, `"a", ${etag}`, '*']) {
      expect(await get(path, { 'if-none-match': tags })).toMatchObject({ status: 304, text: '' });
    }
    expect(await get(path, { 'if-none-match': '"another"' })).toMatchObject({ status: 200 });
    const head = await server.request('HEAD', path, { token: bob.token });
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers).toMatchObject({ 'content-length': '10', etag });
    for (const range of ['bytes=2-5', 'bytes=10-', 'bytes=-0']) {
      const whole = await server.request('HEAD', path, { token: bob.token, headers: { range } });
      expect([whole.status, whole.headers['content-length'], whole.headers['content-range']]).toEqual([
        200,
        '10',
        undefined,
      ]);
    }
    expect(beyond.headers).toMatchObject({ 'content-type': 'application/json', 'x-content-type-options': 'nosniff' });
    expect([beyond.headers['cache-control'], beyond.headers.etag]).toEqual([undefined, undefined]);
  });

  it('are no larger than they may be, whatever their length says, and nothing of them is left then', async () => {
    const before = content().length;
    const large = await server.request('POST', UPLOAD, { token: alice.token, body: Buffer.alloc(64 * 1024 + 1) });
    expect([large.status, json(large)['errcode']]).toEqual([413, 'M_TOO_LARGE']);
    const { status, body } = await uploadInPieces(Buffer.alloc(1024 * 1024));
    expect([status, body['errcode']]).toEqual([413, 'M_TOO_LARGE']);
    expect([content().length, incoming()]).toEqual([before, []]);
    await upload(Buffer.alloc(64 * 1024, 1));
    for (const path of ['/_matrix/client/v1/media/config', '/_matrix/media/v3/config', '/_matrix/media/v1/config']) {
      expect(json(await get(path))).toEqual({ 'm.upload.size': 65_536 });
      expect((await anybody(path)).status).toBe(401);
    }
  });

  it('leave nothing where who uploads them goes away', async () => {
    const before = content().length;
    const sent = httpRequest(`${server.origin}${UPLOAD}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${alice.token}`, 'content-length': '1000' },
    });
    sent.on('error', () => {});
    sent.write('the beginning');
    await expect.poll(incoming).toHaveLength(1);
    sent.destroy();
    await expect.poll(incoming).toEqual([]);
    expect(content().length).toBe(before);
  });

  it('have no path that leads elsewhere', async () => {
    const bad = [
      ['a.example', '..%2F..%2Fkeys%2Fsigning.key'],
      ['a.example', '%2e%2e'],
      ['a.example%2F..', 'abc'],
      ['127.0.0.1%2F', 'abc'],
      ['a.example', 'a%00b'],
      ['a.example', 'x'.repeat(129)],
      ['a.example', '%F0%9F%8E%89'],
      ['%5B::1%5D.', 'abc'],
    ] as const;
    for (const [name, id] of bad) {
      const answer = await get(`${DOWNLOAD}/${name}/${id}`);
      expect([name, id, answer.status, json(answer)['errcode']]).toEqual([name, id, 400, 'M_INVALID_PARAM']);
      const put = await server.request('PUT', `${UPLOAD}/${name}/${id}`, { token: alice.token, body: 'x' });
      expect([name, id, put.status, json(put)['errcode']]).toEqual([name, id, 400, 'M_INVALID_PARAM']);
    }
    expect(json(await get(`${DOWNLOAD}/a.example/unknown`))['errcode']).toBe('M_NOT_FOUND');
    expect((await get(`${DOWNLOAD}/a.example/unknown?timeout_ms=x`)).status).toBe(400);
  });

  it('of other servers are not there where no other server is asked', async () => {
    const answer = await get(`${DOWNLOAD}/b.example/abc`);
    expect([answer.status, json(answer)['errcode']]).toEqual([502, 'M_UNKNOWN']);
    const legacy = await get('/_matrix/media/v3/download/b.example/abc?allow_remote=false');
    expect([legacy.status, json(legacy)['errcode']]).toEqual([404, 'M_NOT_FOUND']);
  });

  describe('that are created before they are uploaded', () => {
    const create = async (token = alice.token): Promise<string> => {
      const answer = await server.request('POST', '/_matrix/media/v1/create', { token });
      expect(answer.status).toBe(200);
      const { content_uri: uri, unused_expires_at: expires } = JSON.parse(answer.text) as {
        content_uri: string;
        unused_expires_at: number;
      };
      expect(expires).toBeGreaterThan(Date.now());
      return uri.slice('mxc://'.length);
    };
    const fill = (id: string, body = 'filled', token = alice.token): Promise<Answer> =>
      server.request('PUT', `${UPLOAD}/${id}`, { token, body, headers: { 'content-type': 'text/plain' } });

    it('are waited for, and given once they are there', async () => {
      const id = await create();
      const early = await get(`${DOWNLOAD}/${id}?timeout_ms=0`);
      expect([early.status, json(early)['errcode']]).toEqual([504, 'M_NOT_YET_UPLOADED']);
      const waiting = get(`${DOWNLOAD}/${id}`);
      await delay(50);
      expect(await fill(id)).toMatchObject({ status: 200, text: '{}' });
      expect(await waiting).toMatchObject({ status: 200, text: 'filled' });
    });

    it('are uploaded once, and by who created them', async () => {
      const id = await create();
      const others = await fill(id, 'x', bob.token);
      expect([others.status, json(others)['errcode']]).toEqual([403, 'M_FORBIDDEN']);
      const both = await Promise.all([fill(id, 'first'), fill(id, 'second')]);
      expect(both.map(({ status }) => status).toSorted()).toEqual([200, 409]);
      const again = await fill(id, 'third');
      expect([again.status, json(again)['errcode']]).toEqual([409, 'M_CANNOT_OVERWRITE_MEDIA']);
      const { text } = await get(`${DOWNLOAD}/${id}`);
      expect(['first', 'second']).toContain(text);
      for (const unknown of ['a.example/unknown', 'b.example/abc']) {
        const answer = await fill(unknown);
        expect([answer.status, json(answer)['errcode']]).toEqual([404, 'M_NOT_FOUND']);
      }
    });

    it('are so many at a time', async () => {
      const carol = await server.register('carol');
      for (let i = 0; i < 100; i++) await create(carol.token);
      const more = await server.request('POST', '/_matrix/media/v1/create', { token: carol.token });
      expect([more.status, json(more)['errcode']]).toEqual([429, 'M_LIMIT_EXCEEDED']);
    });
  });

  it(`is no 500, but M_NOT_FOUND, of ${MISSING} on the disk`, async () => {
    const id = await upload('to be lost');
    const { rmSync } = await import('node:fs');
    rmSync(join(server.folder, 'media/content'), { recursive: true });
    const answer = await get(`${DOWNLOAD}/${id}`);
    expect([answer.status, json(answer)['errcode']]).toEqual([404, 'M_NOT_FOUND']);
    expect(answer.headers).not.toMatchObject({ 'cache-control': expect.anything() });
    expect(answer.headers.etag).toBeUndefined();
    expect(await server.request('HEAD', `${DOWNLOAD}/${id}`, { token: bob.token })).toMatchObject({ status: 404 });
    // It can be brought again.
    await upload('to be lost');
    expect((await get(`${DOWNLOAD}/${id}`)).text).toBe('to be lost');
  });
});

describe('media of a server that is not frozen', () => {
  it('are given to anybody by the old paths, but none of other servers', async () => {
    const server = await WholeServer.start({
      ANNALS_MEDIA_FREEZE: 'off',
      ANNALS_MEDIA_QUOTA: '10',
      ANNALS_FEDERATION: 'off',
    });
    try {
      const { token } = await server.register('alice');
      const upload = (body: string) => server.request('POST', UPLOAD, { token, body });
      const { text } = await upload('12345');
      const { content_uri: uri } = JSON.parse(text) as { content_uri: string };
      const path = `/_matrix/media/v3/download/${uri.slice(6)}`;
      expect(await server.request('GET', path)).toMatchObject({ status: 200, text: '12345' });
      expect((await server.request('GET', '/_matrix/media/v3/download/b.example/abc')).status).toBe(404);
      // Of what is uploaded at once no more than the quota stays.
      const more = await Promise.all(['abcd', 'efgh', 'ijkl'].map(upload));
      expect(more.map(({ status }) => status).toSorted()).toEqual([200, 403, 403]);
      expect(JSON.parse((await upload('123456')).text)).toMatchObject({
        errcode: 'M_USER_LIMIT_EXCEEDED',
        error: 'An account has at most 10 bytes of media that it has uploaded',
        info_uri: expect.stringMatching(/^http.*\/_annals\/limits#media$/),
      });
      expect(filesIn(join(server.folder, 'media/content'))).toHaveLength(2);
    } finally {
      await server.close();
    }
  });
});
