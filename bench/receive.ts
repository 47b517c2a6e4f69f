import type { ServerName } from '#kernel/ids';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { openEvent } from '#protocol/signing/open-event';
import { findSignature } from '#protocol/signing/sign-json';
import { judgePdu } from '#rooms/receive/judge-pdu';
import { preparePdu } from '#rooms/receive/prepare-pdu';
import { checkingTogether } from '#rooms/worker/signature-batches';
import { ForeignServer, type ForeignPdu } from '#testing/receiving/foreign-server';
import { makeOn, openRoom } from '#testing/receiving/make-on';
import { keysOf, type MemoryRoom } from '#testing/receiving/memory-room';
import { above, type Figure, under } from './figures.js';
import { ReceivingServer } from './receiving-server.js';

const COUNT = Number(process.env['BENCH_PDUS'] ?? 10_000);
/** How many are prepared at the same time: as many as a transaction holds. */
const BATCH = 50;
/** The state that each event is judged by. */
const MEMBERS = 200;

/** PDUs of another server through all steps, beside the bare checks of their signatures on all cores. */
export async function benchReceive(): Promise<Figure[]> {
  const version = findRoomVersion('12')!;
  const server = new ForeignServer('other.example', 1);
  const room = await openRoom(version, [server]);
  const state = [...room.known.values()].map(({ event }) => ({ event, text: canonicalJson(event.pdu) }));
  for (let i = 0; i < MEMBERS; i++) {
    const user = server.user(`user${i}`);
    const join = { type: 'm.room.member', sender: user, stateKey: user, content: { membership: 'join' } };
    const pdu = await makeOn(room, server, join);
    state.push(pdu);
    await room.receive(pdu.text);
  }
  const pdus = await makeMessages(room, server);
  const signatures = pdus.map((pdu) => signatureOf(pdu, server));
  const floor = await perSecond(() => checkBare(signatures, server));
  const received = await perSecond(() => receiveAll(pdus, room));
  const stands = room.extremities.length === 1 && room.extremities[0]?.eventId === pdus.at(-1)?.event.eventId;
  if (!stands) throw new Error('not all PDUs were accepted');
  const whole = await intoServer(room, server, state, pdus);
  return [
    {
      name: `foreign PDUs through the whole pipeline, one after another in a room of ${MEMBERS}`,
      value: received.rate,
      unit: 'PDUs/s',
      floor: floor.rate,
      floorName: 'bare signature checks',
      aim: '>= 3000 PDUs/s',
      reached: received.rate >= 3_000,
    },
    // What 3,000 a second leave on two cores, told as time of the processors: other work on the machine does not count.
    under('a foreign PDU, all threads', 'us of processor', received.microseconds, 666),
    under('of which its signature', 'us of processor', floor.microseconds, 200),
    above('foreign PDUs into a room of a server, with log and views', 'PDUs/s', whole.rate, 3_000),
    under('one of them, all threads', 'us of processor', whole.microseconds, 666),
  ];
}

/** A chain of messages of many users, made without being received. */
async function makeMessages(room: MemoryRoom, server: ForeignServer): Promise<ForeignPdu[]> {
  const pdus: ForeignPdu[] = [];
  for (let i = 0; i < COUNT; i++) {
    const sender = server.user(`user${i % MEMBERS}`);
    const content = { msgtype: 'm.text', body: `Let us meet at the usual place at half past seven, as we said (${i})` };
    const { event } = await makeOn(room, server, { type: 'm.room.message', sender, content });
    const prev = [pdus.at(-1)?.event.eventId ?? event.prevEvents[0]!];
    const draft = { type: event.type, sender, content, prev, auth: event.authEvents, depth: event.depth + i };
    pdus.push(server.make(room.version, room.roomId, draft));
  }
  return pdus;
}

interface Signed {
  readonly text: Buffer;
  readonly signature: Buffer;
}

function signatureOf({ event: { pdu } }: ForeignPdu, { name, signingKey }: ForeignServer): Signed {
  const { essential } = openEvent(pdu, findRoomVersion('12')!);
  return { text: Buffer.from(essential), signature: findSignature(pdu['signatures'], name, signingKey.keyId)! };
}

async function checkBare(signatures: readonly Signed[], server: ForeignServer): Promise<void> {
  const { key } = checkingTogether(keysOf(server)).find(server.name, server.signingKey.keyId)!;
  for (let at = 0; at < signatures.length; at += BATCH) {
    const batch = signatures.slice(at, at + BATCH);
    const holds = await Promise.all(batch.map(({ text, signature }) => key.verifyAside(text, signature)));
    if (holds.includes(false)) throw new Error('a signature does not hold');
  }
}

/** Signatures of the next batch are checked on other cores while this one is judged. */
async function receiveAll(pdus: readonly ForeignPdu[], room: MemoryRoom): Promise<void> {
  const alone = room.preparation('other.example' as ServerName);
  const preparation = { ...alone, keys: checkingTogether(alone.keys) };
  const prepare = (at: number) =>
    Promise.all(pdus.slice(at, at + BATCH).map(({ text }) => preparePdu(text, preparation)));
  let next = prepare(0);
  for (let at = 0; at < pdus.length; at += BATCH) {
    const batch = await next;
    next = prepare(at + BATCH);
    for (const pdu of batch) {
      if (pdu.kind === 'dropped') throw new Error(pdu.reason);
      room.apply(await judgePdu(pdu, room));
    }
  }
}

/** As a server receives them: transactions one after another. */
async function intoServer(
  room: MemoryRoom,
  server: ForeignServer,
  state: readonly ForeignPdu[],
  pdus: readonly ForeignPdu[],
): Promise<{ rate: number; microseconds: number }> {
  const { name } = server;
  const home = await ReceivingServer.start(keysOf(server));
  try {
    await home.takeIn(room, name, state);
    return await perSecond(async () => {
      for (let at = 0; at < pdus.length; at += BATCH) await home.receive(room, name, pdus.slice(at, at + BATCH));
    });
  } finally {
    await home.close();
  }
}

async function perSecond(work: () => Promise<void>): Promise<{ rate: number; microseconds: number }> {
  const started = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { rate: COUNT / ((performance.now() - started) / 1_000), microseconds: (user + system) / COUNT };
}
