import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventStore } from '#event-store/event-store';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { listProjectors } from '#homeserver/projectors';
import { systemClock } from '#kernel/clock';
import type { RoomId, ServerName } from '#kernel/ids';
import { START } from '#kernel/position';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { Projector } from '#projections/projector';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { type Figure, under } from './figures.js';
import { GrownLog } from './grown-log.js';
import { RunningServer } from './running-server.js';

const SERVER = 'bench.example' as ServerName;
/** 80,000 facts a second. */
const AIM_US = 12.5;

interface Shape {
  readonly name: string;
  readonly rooms: number;
  readonly grow: (log: GrownLog, rooms: readonly RoomId[]) => Promise<void>;
}

const SHAPES: readonly Shape[] = [
  { name: 'messages of one room', rooms: 1, grow: (log, rooms) => log.messages(rooms, 30_000) },
  { name: '50 rooms, nine messages for each join', rooms: 50, grow: (log, rooms) => log.talks(rooms, 30_000) },
  { name: 'joins of one room', rooms: 1, grow: (log, [room]) => log.joins(room!, 20_000) },
];

/** What a fact of rooms costs on its way from the log into all views, in logs of three shapes: processor time, of the second half of each. */
export async function benchReplayRooms(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name, rooms, grow } of SHAPES) {
    const directory = await makeLog(rooms, grow);
    const { mainUs, allUs } = await replay(directory);
    rmSync(directory, { recursive: true });
    figures.push(under(`replay, ${name}: the main thread`, 'µs', mainUs, AIM_US));
    figures.push(under(`replay, ${name}: all threads`, 'µs', allUs, 2 * AIM_US));
  }
  return figures;
}

async function makeLog(count: number, grow: Shape['grow']): Promise<string> {
  const server = await RunningServer.start();
  const alice = await server.register('alice');
  const rooms: RoomId[] = [];
  for (let i = 0; i < count; i++) rooms.push((await server.createRoom(alice)) as RoomId);
  await server.stop({ keep: true });
  const log = await GrownLog.open(server.directory, SERVER);
  await grow(log, rooms);
  await log.close();
  return server.directory;
}

/** Microseconds for each fact of the second half: by then the code is compiled. */
async function replay(directory: string): Promise<{ mainUs: number; allUs: number }> {
  const log = await openLmdbEventStore(join(directory, 'log'));
  const store = new TodaysEventStore(log, FACT_SHAPES, ROOM_PARTS);
  const views = mkdtempSync(join(tmpdir(), 'annals-bench-'));
  const readModels = await openLmdbReadModels(views);
  try {
    return await measure(store, readModels);
  } finally {
    await readModels.close();
    await store.close();
    rmSync(views, { recursive: true });
  }
}

async function measure(
  store: EventStore,
  readModels: Awaited<ReturnType<typeof openLmdbReadModels>>,
): Promise<{ mainUs: number; allUs: number }> {
  const facts = store.distance(START, await store.head()).amount;
  let seen = 0;
  let half = spent();
  const counting: Projector = {
    name: 'bench',
    version: 1,
    collections: [],
    handles: () => true,
    project() {
      if (++seen === Math.floor(facts / 2)) half = spent();
    },
  };
  const projectors = [counting, ...listProjectors()];
  const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: systemClock });
  await runtime.start();
  await readModels.flush();
  const all = spent();
  await runtime.stop();
  return { mainUs: (all.mainUs - half.mainUs) / (facts / 2), allUs: (all.allUs - half.allUs) / (facts / 2) };
}

/** What this process has taken of the processors' time so far, in microseconds: its main thread, and all of it. */
function spent(): { mainUs: number; allUs: number } {
  const { user, system } = process.cpuUsage();
  const [nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
  return { mainUs: Number(nanoseconds) / 1_000, allUs: user + system };
}
