import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Figure, ofFloor, percentile, under } from './figures.js';
import { durableAppends, rateOf } from './floor.js';
import { type BenchUser, RunningServer } from './running-server.js';

const SECONDS = 5;
/** What a message of this benchmark takes in the log, in bytes: the fact with its PDU and metadata. */
const FACT_BYTES = 1_150;
const CLIENTS = 64;
/** Never under this on a quiet machine of two cores. */
const LEAST_PER_SECOND = 2_000;

/** Sends in one room: many clients at a time, one client, and the way from a send to a long poll. */
export async function benchSend(): Promise<Figure[]> {
  const server = await RunningServer.start();
  try {
    const alice = await server.register('alice');
    const room = await server.createRoom(alice);
    const users = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => joined(server, room, `user${i}`)));
    await rateOf(CLIENTS, 2, (i) => send(server, users[i % CLIENTS] as BenchUser, room, `warm${i}`));

    const many = await besideFloor(CLIENTS, (i) => send(server, users[i % CLIENTS] as BenchUser, room, `many${i}`));
    const one = await besideFloor(1, (i) => send(server, alice, room, `one${i}`));
    return [
      ofFloor(`sends in one room, ${CLIENTS} clients`, '/s', many.value, many.floor, 1 / 4, LEAST_PER_SECOND),
      ofFloor('sends in one room, 1 client', '/s', one.value, one.floor, 1 / 2),
      ...(await benchDelivery(server, users[0] as BenchUser, users[1] as BenchUser, room)),
    ];
  } finally {
    await server.stop();
  }
}

/** A figure and its floor, measured in turns so that a noisy moment hits both. */
async function besideFloor(
  writers: number,
  work: (i: number) => Promise<unknown>,
): Promise<{ value: number; floor: { name: string; value: number } }> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-floor-'));
  let next = 0;
  const results: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < 3; round++) {
    floors.push((await durableAppends(join(directory, String(round)), writers, FACT_BYTES, SECONDS / 3)).perSecond);
    results.push((await rateOf(writers, SECONDS / 3, () => work(next++))).perSecond);
  }
  rmSync(directory, { recursive: true, force: true });
  return { value: mean(results), floor: { name: `durable LMDB appends, ${writers} writers`, value: mean(floors) } };
}

/** The time from the start of a send to the other user's long poll having the event. */
async function benchDelivery(server: RunningServer, from: BenchUser, to: BenchUser, room: string): Promise<Figure[]> {
  const filter = encodeURIComponent(JSON.stringify({ room: { timeline: { limit: 5 } }, presence: { types: [] } }));
  const sync = (since: string | undefined): Promise<{ next_batch: string }> =>
    server.call(
      'GET',
      `/_matrix/client/v3/sync?filter=${filter}&timeout=20000${since ? `&since=${since}` : ''}`,
      to.token,
    );
  const times: number[] = [];
  let { next_batch: since } = await sync(undefined);
  for (let i = 0; i < 300; i++) {
    const waiting = sync(since).then((answer) => ({ answer, at: performance.now() }));
    // The poll must be waiting before the message is sent.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const started = performance.now();
    await send(server, from, room, `deliver${i}`);
    const { answer, at } = await waiting;
    times.push(at - started);
    since = answer.next_batch;
  }
  return [
    under('send to long-poll delivery, p50', 'ms', percentile(times, 50), 5),
    under('send to long-poll delivery, p99', 'ms', percentile(times, 99), 25),
  ];
}

async function joined(server: RunningServer, room: string, name: string): Promise<BenchUser> {
  const user = await server.register(name);
  await server.call('POST', `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/join`, user.token, {});
  return user;
}

/** One message as a client sends it. */
export function send(server: RunningServer, user: BenchUser, room: string, txn: string): Promise<unknown> {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/${txn}`;
  return server.text('PUT', path, user.token, { msgtype: 'm.text', body: `Let us meet at half past seven (${txn})` });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
