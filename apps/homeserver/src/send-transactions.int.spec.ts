import 'reflect-metadata';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { FakePeer, PEER_AUTHORITY, type PeerRoute } from '#testing/fake-peer';
import { TEST_AUTHOR } from '#testing/local-room';
import type { ForeignPdu } from '#testing/receiving/foreign-server';
import { joinFromPeer } from '#testing/receiving/join-from-peer';
import { makeOn } from '#testing/receiving/make-on';
import { keysKnownTo } from '#testing/receiving/memory-room';
import type { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { TellingServer } from '#testing/receiving/telling-server';
import { WholeServer } from '../test/whole-server.js';

const VERSION = findRoomVersion('11')!;
const DESTINATION = TEST_AUTHOR.serverName;

let directory: string;
let server: WholeServer;
let peer: FakePeer;
let telling: TellingServer;
let there: RoomElsewhere;
let roomId: RoomId;
let token: string;
let count = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'annals-send-'));
  writeFileSync(join(directory, 'ca.pem'), PEER_AUTHORITY.certificate);
  peer = await FakePeer.start();
  server = await WholeServer.start({
    ANNALS_FEDERATION_DENY: '',
    ANNALS_FEDERATION_ALLOW_PRIVATE: 'true',
    ANNALS_TLS_CA: join(directory, 'ca.pem'),
  });
  ({ token } = await server.register('alice'));
  const body = JSON.stringify({ preset: 'public_chat', room_version: VERSION.id });
  const { text } = await server.request('POST', '/_matrix/client/v3/createRoom', { token, body });
  roomId = (JSON.parse(text) as { room_id: RoomId }).room_id;
  await joinThere();
});
afterAll(async () => {
  await server.close();
  await peer.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Bob of the peer joins, so that the peer has the room too; from then on it tells of it what it is asked. */
async function joinThere(): Promise<void> {
  const keys = keysKnownTo(TEST_AUTHOR, peer.server);
  const room = { origin: server.origin, destination: DESTINATION, roomId, version: VERSION, keys };
  there = await joinFromPeer(peer, room);
  telling = new TellingServer(there);
  const route: PeerRoute = async ({ method, path, content }) => ({
    body: await telling.ask(peer.name, { method: method as 'GET', path, content }),
  });
  for (const method of ['GET', 'POST']) peer.on(method, '/_matrix/federation/v1/(?!version).*', route);
}

const parsed = (text: string): JsonObject => parseJson(text, { lenient: true }) as JsonObject;

async function send(
  pdus: readonly ForeignPdu[],
  edus: readonly JsonValue[] = [],
  authorization?: string,
): Promise<Awaited<ReturnType<FakePeer['ask']>>> {
  const content = {
    origin: peer.name,
    origin_server_ts: 1,
    pdus: pdus.map(({ text }) => parsed(text)),
    edus: [...edus],
  };
  const path = `/_matrix/federation/v1/send/${count++}`;
  return peer.ask(server.origin, { destination: DESTINATION, method: 'PUT', path, content, authorization });
}

async function bodiesSeen(limit: number): Promise<unknown[]> {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=${limit}`;
  const { text } = await server.request('GET', path, { token });
  const { chunk } = JSON.parse(text) as { chunk: { content: { body?: unknown } }[] };
  return chunk.map(({ content }) => content.body);
}

describe('what another server sends', () => {
  it('is taken only from who signed it', async () => {
    const said = [await there.says('not signed for')];
    expect(await send(said, [], '')).toMatchObject({ status: 401, body: { errcode: 'M_UNAUTHORIZED' } });
    expect(await bodiesSeen(5)).not.toContain('not signed for');
    expect((await send(said)).status).toBe(200);
    await expect.poll(() => bodiesSeen(5)).toContain('not signed for');
  });

  it('may be fifty events as large as they may be', async () => {
    const said: ForeignPdu[] = [];
    for (let i = 0; i < 50; i++) said.push(await there.says(`${i} ${'x'.repeat(60_000)}`));
    const { status, body } = await send(said);
    expect(status).toBe(200);
    expect(body).toEqual({ pdus: Object.fromEntries(said.map(({ event }) => [event.eventId, {}])) });
    const numbers = async () => (await bodiesSeen(50)).map((text) => parseInt(String(text), 10));
    await expect.poll(numbers).toEqual(Array.from({ length: 50 }, (_, i) => 49 - i));
  });

  it('harms no other event by one that nests as deep as some servers let their users write', async () => {
    const nested = (levels: number): JsonValue => (levels === 0 ? 1 : [nested(levels - 1)]);
    const sender = peer.server.user('bob');
    const deep = await makeOn(there, peer.server, { type: 'm.x', sender, content: { deep: nested(900) } });
    const said = await there.says('beside a deep one');
    const content = { origin: peer.name, origin_server_ts: 1, pdus: [deep.event.pdu, parsed(said.text)] };
    const path = `/_matrix/federation/v1/send/${count++}`;
    const { status, body } = await peer.ask(server.origin, { destination: DESTINATION, method: 'PUT', path, content });
    expect(status).toBe(200);
    expect(body['pdus']).toEqual({
      [deep.event.eventId]: { error: expect.any(String) },
      [said.event.eventId]: {},
    });
    await expect.poll(() => bodiesSeen(5)).toContain('beside a deep one');
  });

  it('is refused where it is more than that', async () => {
    const path = `/_matrix/federation/v1/send/${count++}`;
    const body = Buffer.alloc(11 * 1024 * 1024, ' ');
    const answer = await server.request('PUT', path, { body }).catch((error: Error) => error);
    // A server that answers before all was sent closes the connection upon who goes on sending.
    if (!(answer instanceof Error)) expect(answer.status).toBe(413);
  });

  it('is answered though it misses others, and shown once these were fetched', async () => {
    const said = [await there.says('missed'), await there.says('sent')];
    expect((await send(said.slice(1))).body).toEqual({ pdus: { [said[1]!.event.eventId]: {} } });
    await expect.poll(() => bodiesSeen(2)).toEqual(['sent', 'missed']);
    expect(telling.count('get_missing_events')).toBe(1);
    expect(peer.calls.some(({ path }) => path.includes('get_missing_events'))).toBe(true);
  });
});
