import type { LookupFunction } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import nacl from 'tweetnacl';
import type { ServerName } from '#kernel/ids';
import { JsonNumber } from '#kernel/json';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { FakePeer } from '#testing/fake-peer';
import { TEST_AUTHOR } from '#testing/local-room';
import { TestPeers } from '#testing/test-peers';
import { pathOf } from './path-of.js';

const VERSION = { method: 'GET', path: '/_matrix/federation/v1/version' } as const;

let peer: FakePeer;
let ours: TestPeers;

beforeEach(async () => {
  peer = await FakePeer.start();
  ours = new TestPeers();
});
afterEach(async () => {
  await ours.close();
  await peer.stop();
});

describe('asking another server', () => {
  it('signs the method, the path with its query, both servers and the content', async () => {
    peer.on('PUT', '/_matrix/federation/v1/send/(.*)', () => ({ body: { pdus: {} } }));
    const path = pathOf('/_matrix/federation/v1/send/:txnId', { txnId: 'a/b ?é' }, { q: ['1', '2'], no: undefined });
    expect(path).toBe('/_matrix/federation/v1/send/a%2Fb%20%3F%C3%A9?q=1&q=2');
    const content = { b: new JsonNumber('1.50'), a: 'é"', edus: [] };
    expect(await ours.peers.ask(peer.name, { method: 'PUT', path, content })).toEqual({ pdus: {} });
    const [call] = peer.calls;
    expect(call).toMatchObject({ method: 'PUT', path, parts: ['a/b ?é'], body: '{"a":"é\\"","b":1.50,"edus":[]}' });
    expect(call?.headers).toMatchObject({ host: peer.name, 'content-type': 'application/json' });
    // Put together and checked by other code than ours: what the specification says is signed, keys in their order.
    const form = /^X-Matrix origin="([^"]+)",destination="([^"]+)",key="(ed25519:\w+)",sig="([\w+/]+)"$/;
    const [, origin, destination, keyId, signature] = form.exec(call?.headers.authorization ?? '') ?? [];
    expect([origin, destination, keyId]).toEqual([TEST_AUTHOR.serverName, peer.name, TEST_AUTHOR.signingKey.keyId]);
    const signed = `{"content":${call?.body},"destination":"${destination}","method":"PUT","origin":"${origin}","uri":"${path}"}`;
    const { publicKey } = TEST_AUTHOR.signingKey;
    const holds = (text: string): boolean =>
      nacl.sign.detached.verify(Buffer.from(text), Buffer.from(signature ?? '', 'base64'), publicKey);
    expect([holds(signed), holds(signed.replace('PUT', 'GET'))]).toEqual([true, false]);
  });

  it('signs a request without content as one that has none', async () => {
    await ours.peers.ask(peer.name, { method: 'GET', path: '/_matrix/federation/v1/version' });
    const [call] = peer.calls;
    const signature = /sig="([\w+/]+)"/.exec(call?.headers.authorization ?? '')?.[1] ?? '';
    const signed = `{"destination":"${peer.name}","method":"GET","origin":"${TEST_AUTHOR.serverName}","uri":"/_matrix/federation/v1/version"}`;
    const key = TEST_AUTHOR.signingKey.publicKey;
    expect(nacl.sign.detached.verify(Buffer.from(signed), Buffer.from(signature, 'base64'), key)).toBe(true);
    expect([call?.body, call?.headers['content-type']]).toEqual(['', undefined]);
  });

  it('hands on what the other server refuses with, and thinks it awake', async () => {
    const body = { errcode: 'ORG.EXAMPLE.NO', error: 'no', room_version: '1' };
    peer.on('GET', '/_matrix/federation/v1/event/(.*)', () => ({ status: 403, body }));
    const asked = ours.peers.ask(peer.name, { method: 'GET', path: '/_matrix/federation/v1/event/x' });
    const refusal = await asked.catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(PeerRefused);
    expect(refusal).toMatchObject({ status: 403, errcode: 'ORG.EXAMPLE.NO', body });
    expect(ours.peers.isLeftAlone(peer.name)).toBe(false);
  });

  it('leaves a server alone that does not answer, until it is heard from', async () => {
    const awake: string[] = [];
    ours.peers.onAwake((server) => void awake.push(server));
    await peer.stop();
    await expect(ours.peers.ask(peer.name, VERSION)).rejects.toThrow(PeerUnavailable);
    expect(ours.peers.isLeftAlone(peer.name)).toBe(true);
    await expect(ours.peers.ask(peer.name, VERSION)).rejects.toThrow(/left alone/);
    await expect(ours.peers.ask(peer.name, { ...VERSION, insists: true })).rejects.toThrow(/ECONNREFUSED/);
    ours.peers.heardFrom(peer.name);
    expect([ours.peers.isLeftAlone(peer.name), awake]).toEqual([false, [peer.name]]);
  });

  it('never asks itself, nor whom its operator denies', async () => {
    await expect(ours.peers.ask(TEST_AUTHOR.serverName, VERSION)).rejects.toThrow(/this server/);
    const settings = { ANNALS_FEDERATION_DENY: 'localhost' };
    const others = new TestPeers({ settings });
    await expect(others.peers.ask(peer.name, { ...VERSION, insists: true })).rejects.toThrow(/by its settings/);
    expect([peer.calls, others.peers.isLeftAlone(peer.name)]).toEqual([[], false]);
  });

  it('asks what answers to its own name where that may be something else, whomever it speaks to', async () => {
    const author = { ...TEST_AUTHOR, serverName: peer.name };
    const settings = { ANNALS_FEDERATION_ALLOW: 'nobody.example' };
    const atHome = new TestPeers({ author, settings });
    peer.on('GET', VERSION.path, () => ({ body: { is: 'there' } }));
    expect(await atHome.peers.ask(peer.name, { ...VERSION, mayBeOurs: true })).toEqual({ is: 'there' });
    await expect(atHome.peers.ask(peer.name, VERSION)).rejects.toThrow(/this server/);
    await atHome.close();
  });

  it.each([
    ['502 of a proxy', 502, '<html>', /answers 502/, true],
    ['a redirect', 307, '', /sends us elsewhere/, true],
    ['what is no JSON', 200, '<html>', /no JSON object/, false],
    ['what is no object', 200, '[]', /no JSON object/, false],
    ['a key twice', 200, '{"a":1,"a":2}', /no JSON object/, false],
    ['too deep JSON', 200, `{"a":${'['.repeat(200)}${']'.repeat(200)}}`, /no JSON object/, false],
    ['too many values', 200, `{"a":[${'1,'.repeat(600_000)}1]}`, /no JSON object/, false],
    ['too much', 200, `{"a":"${'x'.repeat(2 * 1024 * 1024)}"}`, /more than 2097152 bytes/, false],
  ])('is in vain where it answers with %s', async (_, status, text, why, isSilence) => {
    peer.on('GET', '/_matrix/federation/v1/version', (__, response) => {
      response.writeHead(status, { location: 'https://127.0.0.1/' }).end(text);
      return undefined;
    });
    const asked = ours.peers.ask(peer.name, { ...VERSION, maxBytes: 2 * 1024 * 1024 });
    const failure = await asked.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PeerUnavailable);
    expect(String(failure)).toMatch(why);
    expect(ours.peers.isLeftAlone(peer.name)).toBe(isSilence);
    expect(peer.calls).toHaveLength(1);
  });

  it('refuses with what a server says in HTML, or that it has failed', async () => {
    const say = (status: number, text: string): void =>
      peer.on('GET', '/_matrix/federation/v1/version', (_, response) => {
        response.writeHead(status).end(text);
        return undefined;
      });
    for (const [status, text, body] of [
      [404, '<html>', {}],
      [405, '', {}],
      [500, '{"errcode":"M_UNKNOWN","error":"a bug"}', { errcode: 'M_UNKNOWN', error: 'a bug' }],
      [503, '{"errcode":"M_UNKNOWN"}', { errcode: 'M_UNKNOWN' }],
    ] as const) {
      say(status, text);
      const refusal = await ours.peers.ask(peer.name, VERSION).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ name: 'PeerRefused', status, body });
      expect(ours.peers.isLeftAlone(peer.name)).toBe(false);
    }
    expect(ours.peers.outcomes).toEqual({ answered: 0, refused: 4, unavailable: 0 });
  });

  it('leaves a server alone for as long as it asks for', async () => {
    const limited = { errcode: 'M_LIMIT_EXCEEDED', error: 'slow down', retry_after_ms: 60_000 };
    peer.on('GET', '/_matrix/federation/v1/version', () => ({ status: 429, body: limited }));
    await expect(ours.peers.ask(peer.name, VERSION)).rejects.toThrow(PeerRefused);
    expect(ours.peers.findLeftAlone(peer.name)?.remainingMs).toBeGreaterThan(50_000);
    await expect(ours.peers.ask(peer.name, VERSION)).rejects.toThrow(/slow down/);
  });

  it('takes as many bytes and as much time as it is told', async () => {
    peer.on('GET', '/_matrix/federation/v1/state/(.*)', () => ({ body: { long: 'x'.repeat(2_000_000) } }));
    const path = '/_matrix/federation/v1/state/x';
    const bytes = await ours.peers.askBytes(peer.name, { method: 'GET', path, maxBytes: 3_000_000 });
    expect(bytes.length).toBeGreaterThan(2_000_000);
    peer.on('GET', '/_matrix/federation/v1/state/(.*)', () => undefined);
    await expect(ours.peers.ask(peer.name, { method: 'GET', path, timeoutMs: 50 })).rejects.toThrow(/within \d+ ms/);
    // Who waits for so little proves nothing.
    expect(ours.peers.isLeftAlone(peer.name)).toBe(false);
  });

  it('keeps numbers as they are spelled', async () => {
    peer.on('GET', '/_matrix/federation/v1/version', (_, response) => {
      response.end('{"a":1.0,"b":12345678901234567890}');
      return undefined;
    });
    const { a, b } = await ours.peers.ask(peer.name, VERSION);
    expect([a, b]).toEqual([new JsonNumber('1.0'), new JsonNumber('12345678901234567890')]);
  });

  it('ends with the reason of its caller, and blames nobody', async () => {
    const ending = new AbortController();
    peer.on('GET', '/_matrix/federation/v1/version', () => {
      ending.abort(new Error('enough'));
      return undefined;
    });
    const { signal } = ending;
    await expect(ours.peers.ask(peer.name, { ...VERSION, signal })).rejects.toThrow('enough');
    await expect(ours.peers.ask(peer.name, { ...VERSION, signal })).rejects.toThrow('enough');
    expect([ours.peers.isLeftAlone(peer.name), peer.calls.length]).toEqual([false, 1]);
  });

  it('waits for no name server longer than told', async () => {
    const slow = new TestPeers({ resolveSrv: () => new Promise(() => {}), lookup: refuseAll });
    const asked = slow.peers.ask('b.example' as ServerName, { ...VERSION, timeoutMs: 100 });
    await expect(asked).rejects.toThrow(/not found within 100 ms/);
  });

  it('goes where well-known and records lead, with the name of the server that is meant', async () => {
    const { port } = new URL(`https://${peer.name}`);
    const lookup: LookupFunction = (_, __, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]);
    const resolveSrv = () => Promise.resolve([{ name: 'srv.example', port: Number(port), priority: 0, weight: 0 }]);
    const others = new TestPeers({ resolveSrv, lookup });
    // The certificate is for localhost, and this is another name: who is found by a record must prove to be who was asked for.
    await expect(others.peers.ask('b.example' as ServerName, VERSION)).rejects.toThrow(/altname/);
    await others.peers.ask('localhost' as ServerName, VERSION);
    expect(
      peer.calls.map(({ headers }) => [headers.host, /destination="([^"]*)"/.exec(headers.authorization!)?.[1]]),
    ).toEqual([['localhost', 'localhost']]);
    await others.close();
  });
});

const refuseAll: LookupFunction = (host, _, callback) =>
  callback(Object.assign(new Error(`no ${host}`), { code: 'ENOTFOUND' }), []);
