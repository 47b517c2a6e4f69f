import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import nacl from 'tweetnacl';
import { JsonNumber } from '#kernel/json';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { FakePeer } from '#testing/fake-peer';
import { TEST_AUTHOR } from '#testing/local-room';
import { TestPeers } from '#testing/test-peers';
import { pathOf } from './path-of.js';

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
    const request = { method: 'GET', path: '/_matrix/federation/v1/version' } as const;
    await expect(ours.peers.ask(peer.name, request)).rejects.toThrow(PeerUnavailable);
    expect(ours.peers.isLeftAlone(peer.name)).toBe(true);
    await expect(ours.peers.ask(peer.name, request)).rejects.toThrow(/left alone/);
    await expect(ours.peers.ask(peer.name, { ...request, insists: true })).rejects.toThrow(/ECONNREFUSED/);
    ours.peers.heardFrom(peer.name);
    expect([ours.peers.isLeftAlone(peer.name), awake]).toEqual([false, [peer.name]]);
  });

  it('never asks itself', async () => {
    const request = { method: 'GET', path: '/_matrix/federation/v1/version' } as const;
    await expect(ours.peers.ask(TEST_AUTHOR.serverName, request)).rejects.toThrow(/this server/);
  });
});
