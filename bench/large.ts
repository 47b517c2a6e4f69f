import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { listProjectors } from '#homeserver/projectors';
import type { RoomId, ServerName } from '#kernel/ids';
import { systemClock } from '#kernel/clock';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { above, type Figure, ofFloor, under } from './figures.js';
import { rateOf } from './floor.js';
import { GrownLog } from './grown-log.js';
import { RunningServer } from './running-server.js';
import { send } from './send.js';

const SERVER = 'bench.example' as ServerName;
const MEMBERS = 100_000;
const SMALL = 10;
const ROOMS = 100;

/** What a large room and a large log cost: a message among 100,000 members, a replay, a start. */
export async function benchLarge(facts: number): Promise<Figure[]> {
  let server = await RunningServer.start();
  const idle = await idleMemory(server);
  const { directory } = server;
  const alice = await server.register('alice');
  const small = (await server.createRoom(alice)) as RoomId;
  const large = (await server.createRoom(alice)) as RoomId;
  const rooms: RoomId[] = [];
  for (let i = 0; i < ROOMS; i++) rooms.push((await server.createRoom(alice)) as RoomId);
  await server.stop({ keep: true });

  const log = await GrownLog.open(directory, SERVER);
  await log.joins(small, SMALL);
  await log.joins(large, MEMBERS);
  await log.messages(rooms, Math.max(0, facts - MEMBERS));
  await log.close();

  const replay = await benchReplay(directory);
  server = await RunningServer.start({ directory });
  const { startMs } = server;
  const message = await benchLargeRoom(server, alice, small, large);
  await server.stop();
  return [idle, replay, under(`start over ${facts} facts, to the first answer`, 'ms', startMs, 3_000), message];
}

async function idleMemory(server: RunningServer): Promise<Figure> {
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  return under('idle memory', 'MB', server.residentMB(), 150);
}

/** Every projector of the server over the whole log, into empty views. */
async function benchReplay(directory: string): Promise<Figure> {
  const { openLmdbEventStore } = await import('#event-store/lmdb/lmdb-event-store');
  rmSync(join(directory, 'views'), { recursive: true });
  const store = await openLmdbEventStore(join(directory, 'log'));
  const readModels = await openLmdbReadModels(join(directory, 'views'));
  const runtime = new ProjectionRuntime({
    store,
    readModels,
    projectors: listProjectors(),
    listeners: [],
    clock: systemClock,
  });
  const facts = Number(await store.head());
  const started = performance.now();
  await runtime.start();
  const seconds = (performance.now() - started) / 1_000;
  await runtime.stop();
  await readModels.close();
  await store.close();
  return above(`replay of ${facts} facts through all projectors into LMDB`, 'facts/s', facts / seconds, 50_000);
}

async function benchLargeRoom(
  server: RunningServer,
  user: { userId: string; token: string },
  small: RoomId,
  large: RoomId,
): Promise<Figure> {
  let next = 0;
  const to = (room: RoomId): Promise<unknown> => send(server, user, room, `large${next++}`);
  await rateOf(16, 1, () => to(small));
  await rateOf(16, 1, () => to(large));
  let inSmall = 0;
  let inLarge = 0;
  for (let round = 0; round < 3; round++) {
    inSmall += (await rateOf(16, 1, () => to(small))).perSecond / 3;
    inLarge += (await rateOf(16, 1, () => to(large))).perSecond / 3;
  }
  const floor = { name: `the same in a room of ${SMALL + 1}`, value: inSmall };
  const name = `messages in a room of ${MEMBERS} members, 16 clients`;
  return {
    ...ofFloor(name, '/s', inLarge, floor, 1),
    aim: '>= 0.8 of the small room',
    reached: inLarge >= inSmall * 0.8,
  };
}
