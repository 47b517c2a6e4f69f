import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';
import { INBOUND_STREAM } from '#federation/facts/inbound-facts';
import type { PduAccepted } from '#rooms/facts/room-facts';
import { TEST_AUTHOR } from '#testing/local-room';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { ReceivingServer } from '#testing/receiving/receiving-server';
import type { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { openSharedRoom } from '#testing/receiving/shared-room';
import { TellingServer } from '#testing/receiving/telling-server';
import { RoomCommands } from '#testing/room-commands';

const OTHER = new ForeignServer('b.example', 2);
const KEYS = keysKnownTo(TEST_AUTHOR, OTHER);
const ASKED = ['get_missing_events', 'state_ids', 'state', 'event', 'event_auth'];

let home: RoomCommands;
let roomId: RoomId;
let there: RoomElsewhere;
let peers: TellingServer;
let servers: ReceivingServer[];

beforeEach(async () => {
  ({ home, roomId, there } = await openSharedRoom(OTHER, KEYS));
  peers = new TellingServer(there);
  servers = [];
});
afterEach(() => servers.forEach((server) => server.queue.onModuleDestroy()));

async function start(at = home): Promise<ReceivingServer> {
  const server = await ReceivingServer.start(at, peers);
  servers.push(server);
  return server;
}

/** As after a crash: with what the log has. */
async function startAnew(): Promise<ReceivingServer> {
  const server = await start(new RoomCommands(home.views, TEST_AUTHOR, KEYS));
  server.queue.onApplicationBootstrap();
  return server;
}

/** The other server can be asked for nothing, until this is called. */
function letNobodyAnswer(): () => void {
  const gone = (): Promise<JsonObject> => Promise.reject(new PeerUnavailable('for now'));
  for (const what of ASKED) peers.otherwise.set(what, gone);
  return () => peers.otherwise.clear();
}

async function sayMany(count: number): Promise<ForeignPdu[]> {
  const said: ForeignPdu[] = [];
  for (let i = 0; i < count; i++) said.push(await there.says(`${i}`));
  return said;
}

/** Sends events as one stream of transactions; each is taken. */
async function sendAll(server: ReceivingServer, pdus: readonly ForeignPdu[]): Promise<void> {
  for (let at = 0; at < pdus.length; at += 50) {
    const some = pdus.slice(at, at + 50);
    const results = await server.receive(
      OTHER.name,
      `burst ${at}`,
      some.map(({ text }) => text),
    );
    expect(results).toEqual(Object.fromEntries(some.map(({ event }) => [event.eventId, {}])));
  }
}

const idsOf = (pdus: readonly ForeignPdu[]): EventId[] => pdus.map(({ event }) => event.eventId);

/** Those of some events that are in the room, as news, in the order in which they came there. */
function newsAmong(pdus: readonly ForeignPdu[]): EventId[] {
  const wanted = new Set(idsOf(pdus));
  const facts = home.facts(roomId, 'pdu-accepted').map(({ data }) => JSON.parse(data) as PduAccepted);
  return facts.flatMap((fact) => (fact.history !== true && wanted.has(fact.event_id) ? fact.event_id : []));
}

async function untilSettled(server: ReceivingServer): Promise<void> {
  await expect.poll(async () => (await server.log.load()).size).toBe(0);
}

describe('a burst of which far more events wait than may', () => {
  it('is in the room in the end, all of it and in its order, though nothing is said after it and the process ends', async () => {
    await there.joins();
    const burst = await sayMany(800);
    const letAnswer = letNobodyAnswer();
    const before = await start();
    await sendAll(before, burst);
    before.queue.onModuleDestroy();
    const { size } = await before.log.load();
    expect([size > 450, size <= 500]).toEqual([true, true]);
    expect(newsAmong(burst)).toEqual([]);

    letAnswer();
    const asked = peers.count('state_ids');
    await untilSettled(await startAnew());
    expect(newsAmong(burst)).toEqual(idsOf(burst));
    expect(peers.count('state_ids')).toBe(asked);
  }, 120_000);

  it('is there also where the event to which others gave way turns out to be none', async () => {
    const server = await start();
    await there.joins();
    const [first, second] = await sayMany(2);
    const bad = JSON.parse((await there.says('bad')).text) as JsonObject;
    const told = { roomId, eventId: '$bad' as EventId, origin: OTHER.name };
    await server.log.add(OTHER.name, [
      { ...told, text: JSON.stringify({ ...bad, signatures: {} }), standsFor: 2, parents: idsOf([second!]) },
    ]);
    await untilSettled(await startAnew());
    expect(newsAmong([first!, second!])).toEqual(idsOf([first!, second!]));
  });

  it('leaves a short log where it goes on and on', async () => {
    const server = await start();
    server.queue.onModuleDestroy();
    const pdus = Array.from({ length: 3_000 }, (_, i) => ({
      roomId,
      eventId: `$${i}` as EventId,
      origin: OTHER.name,
      parents: [`$${i - 1}` as EventId],
      text: '{}',
    }));
    for (let at = 0; at < pdus.length; at += 50) await server.log.add(OTHER.name, pdus.slice(at, at + 50));
    expect(home.views.log.facts.filter(({ stream }) => stream === INBOUND_STREAM).length).toBeLessThan(1_600);
    expect([...(await server.log.load()).values()].at(-1)?.eventId).toBe('$2999');
  });
});
