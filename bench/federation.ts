import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RoomId, ServerName } from '#kernel/ids';
import { signRequest } from '#protocol/signing/sign-request';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { decodeBase64 } from '#protocol/signing/base64';
import { parseVerifyKey } from '#protocol/signing/signing-key';
import type { ServerKeys } from '#rooms/server-keys';
import { FakePeer, PEER_AUTHORITY } from '#testing/fake-peer';
import type { ForeignPdu } from '#testing/receiving/foreign-server';
import { joinFromPeer } from '#testing/receiving/join-from-peer';
import { makeOn } from '#testing/receiving/make-on';
import { keysOf } from '#testing/receiving/memory-room';
import { above, type Figure, under } from './figures.js';
import { RunningServer } from './running-server.js';

const TRANSACTIONS = Number(process.env['BENCH_TRANSACTIONS'] ?? 100);
/** As many as a transaction holds. */
const PDUS = 50;
const ROOMS = 10;
const DESTINATION = 'bench.example' as ServerName;

/** A transaction, signed before the clock runs. */
interface Signed {
  readonly path: string;
  readonly authorization: string;
  readonly body: string;
}

/** Transactions of 50 PDUs, over HTTP, one after another as a server sends them: all of one room, and of ten. */
export async function benchFederation(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-bench-federation-'));
  const authority = join(directory, 'authority.crt');
  writeFileSync(authority, PEER_AUTHORITY.certificate);
  const peer = await FakePeer.start();
  const server = await RunningServer.start({
    env: { ANNALS_FEDERATION_ALLOW_PRIVATE: 'true', ANNALS_TLS_CA: authority },
  });
  try {
    const rooms = await makeRooms(server, peer);
    const one = await receive(server, sign(peer, [rooms[0]!]));
    const many = await receive(server, sign(peer, rooms.slice(1)));
    return [
      above('PDUs of another server in transactions of 50, one room', 'PDUs/s', one.rate, 2_000),
      above(`the same of ${ROOMS} rooms`, 'PDUs/s', many.rate, 2_000),
      under('one of them, all threads', 'us of processor', one.microseconds, 1_000),
    ];
  } finally {
    await server.stop();
    await peer.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What is said in rooms that are shared with the server; as much in the first as in all others together. */
async function makeRooms(server: RunningServer, peer: FakePeer): Promise<ForeignPdu[][]> {
  const version = findRoomVersion('11')!;
  const alice = await server.register('alice');
  const keys = keysWith(peer, await server.call<PublishedKeys>('GET', '/_matrix/key/v2/server'));
  const rooms: ForeignPdu[][] = [];
  for (let i = 0; i <= ROOMS; i++) {
    const roomId = (await server.createRoom(alice, { room_version: version.id })) as RoomId;
    const there = await joinFromPeer(peer, { origin: server.base, destination: DESTINATION, roomId, version, keys });
    const count = TRANSACTIONS * PDUS;
    rooms.push(await makeMessages(there, peer, version, i === 0 ? count : Math.ceil(count / ROOMS)));
  }
  return rooms;
}

interface PublishedKeys {
  readonly verify_keys: Readonly<Record<string, { readonly key: string }>>;
}

/** The keys of the server and of the peer. */
function keysWith(peer: FakePeer, { verify_keys: published }: PublishedKeys): ServerKeys {
  const own = new Map(Object.entries(published).map(([id, { key }]) => [id, parseVerifyKey(decodeBase64(key)!)!]));
  const others = keysOf(peer.server);
  return {
    find(name, keyId) {
      const key = name === DESTINATION ? own.get(keyId) : undefined;
      return key === undefined ? others.find(name, keyId) : { key, validUntil: Infinity, isOld: false };
    },
  };
}

/** A chain of messages, made without being received. */
async function makeMessages(
  there: Awaited<ReturnType<typeof joinFromPeer>>,
  peer: FakePeer,
  version: RoomVersion,
  count: number,
): Promise<ForeignPdu[]> {
  const sender = peer.server.user('bob');
  const { event } = await makeOn(there, peer.server, { type: 'm.room.message', sender, content: {} });
  const pdus: ForeignPdu[] = [];
  for (let i = 0; i < count; i++) {
    const content = { msgtype: 'm.text', body: `Let us meet at the usual place at half past seven, as we said (${i})` };
    const prev = [pdus.at(-1)?.event.eventId ?? event.prevEvents[0]!];
    const draft = { type: event.type, sender, content, prev, auth: event.authEvents, depth: event.depth + i };
    pdus.push(peer.server.make(version, there.roomId, draft));
  }
  return pdus;
}

/** Transactions of what is said in some rooms, in turns. */
function sign(peer: FakePeer, rooms: readonly (readonly ForeignPdu[])[]): Signed[] {
  const pdus = rooms[0]!.flatMap((_, i) => rooms.flatMap((room) => room[i] ?? []));
  const transactions: Signed[] = [];
  for (let at = 0; at < pdus.length; at += PDUS) {
    const texts = pdus.slice(at, at + PDUS).map(({ text }) => parseJson(text, { lenient: true }));
    const content = { origin: peer.name, origin_server_ts: 1, pdus: texts, edus: [] };
    const path = `/_matrix/federation/v1/send/${rooms.length}-${at}`;
    const asked = { method: 'PUT', uri: path, origin: peer.name, destination: DESTINATION, content };
    const { authorization, body } = signRequest(asked, peer.server.signingKey);
    transactions.push({ path, authorization, body: body! });
  }
  return transactions;
}

async function receive(
  server: RunningServer,
  transactions: readonly Signed[],
): Promise<{ readonly rate: number; readonly microseconds: number }> {
  const before = server.processorMs();
  const started = performance.now();
  for (const { path, authorization, body } of transactions) {
    const response = await server.pool.request({ method: 'PUT', path, headers: { authorization }, body });
    const { pdus } = (await response.body.json()) as { pdus: Record<string, { error?: string }> };
    const taken = Object.values(pdus).filter(({ error }) => error === undefined).length;
    if (taken !== PDUS) throw new Error(`${taken} of ${PDUS} events were taken: ${JSON.stringify(pdus)}`);
  }
  const count = transactions.length * PDUS;
  const rate = count / ((performance.now() - started) / 1_000);
  return { rate, microseconds: ((server.processorMs() - before) * 1_000) / count };
}
