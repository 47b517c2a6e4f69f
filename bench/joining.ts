import { spawnSync } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { systemClock } from '#kernel/clock';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { Joining } from '#rooms/joining/joining';
import { ReceiveRoom, ReceiveRoomHandler } from '#rooms/commands/receive-room';
import { Receiving } from '#rooms/commands/receiving';
import { roomProjectors } from '#rooms/projections/room-projectors';
import { allowAll } from '#rooms/room-policy';
import { RoomSnapshots } from '#rooms/worker/room-snapshots';
import { OtherProcesses } from '#rooms/worker/other-processes';
import { RoomWorkers } from '#rooms/worker/room-workers';
import { keysOf } from '#testing/receiving/memory-room';
import { type Figure, under } from './figures.js';
import { NOBODY_ASKED } from './receiving-server.js';
import { watchMemory } from './watch-memory.js';
import { watchTurns } from './watch-turns.js';
import { HERE, MAKER, THERE, type ToldRoom } from './told-room.js';

const MEMBERS = Number(process.env['BENCH_MEMBERS'] ?? 80_000);
const MAX_PAUSE_MS = 30;
const OLDER = Math.round(MEMBERS * 1.575);

/** A room of other servers taken in from files, until its views are there. */
export async function benchJoining(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-bench-'));
  try {
    const args = [MAKER, directory, String(MEMBERS), String(OLDER)];
    const made = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1e9 });
    return await takeIn(directory, JSON.parse(made.stdout.toString()) as ToldRoom);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function takeIn(directory: string, told: ToldRoom): Promise<Figure[]> {
  const store = await openLmdbEventStore(join(directory, 'log'));
  const readModels = await openLmdbReadModels(join(directory, 'views'));
  const views = new ProjectionRuntime({
    store,
    readModels,
    projectors: roomProjectors(),
    listeners: [],
    clock: systemClock,
  });
  const author = { serverName: HERE.name, signingKey: HERE.signingKey };
  const snapshots = new RoomSnapshots(store, readModels, (_, error) => {
    throw error;
  });
  const workers = new RoomWorkers({ store, snapshots, views, author, clock: systemClock });
  const receiving = new Receiving(workers, keysOf(HERE, ...THERE), NOBODY_ASKED, allowAll);
  const handler = new ReceiveRoomHandler(
    workers,
    receiving,
    new Joining(workers, store, new OtherProcesses({}, systemClock)),
  );
  await views.start();
  const version = findRoomVersion(told.version)!;
  const command = new ReceiveRoom(THERE[0]!.name, told.roomId, version, {
    create: told.create,
    authChain: linesOf(told.authFile),
    state: linesOf(told.stateFile),
    join: told.join,
  });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const memory = watchMemory();
  const turns = watchTurns(MAX_PAUSE_MS);
  const before = process.cpuUsage();
  const started = performance.now();
  delay.enable();
  try {
    const received = await handler.execute(command);
    const joinedMs = performance.now() - started;
    if (received.kind !== 'joined' || received.leftOut.count > 0) throw new Error(JSON.stringify(received));
    await views.whenProcessed(received.position);
    const seconds = (performance.now() - started) / 1_000;
    delay.disable();
    const { user, system } = process.cpuUsage(before);
    const { rss, anonymous } = memory.stop();
    const { longest, beyond } = turns.stop() ?? { longest: Number.NaN, beyond: Number.NaN };
    const named = `a room of ${told.stateEvents} state events and ${told.authEvents} auth events taken in`;
    return [
      under(`${named}, with its views`, 's', seconds, 20),
      under('of which until it was all in the log', 's', joinedMs / 1_000, 20),
      // What 20 s of two cores are; other work on the machine does not count.
      under('time of the processors for it', 's', (user + system) / 1e6, 40),
      under('longest pause of the event loop meanwhile', 'ms', delay.max / 1e6, MAX_PAUSE_MS),
      under('p99.9 of the pauses', 'ms', delay.percentile(99.9) / 1e6, MAX_PAUSE_MS),
      under('longest turn of the event loop, in time of the processor', 'ms', longest, MAX_PAUSE_MS),
      under('how many of those were longer than that', 'turns', beyond, 1),
      under('memory of our own at most', 'MB', anonymous, 700),
      under('memory with files that are mapped at most', 'MB', rss, 700),
    ];
  } finally {
    delay.disable();
    memory.stop();
    turns.stop();
    await views.stop();
    await workers.close();
    await readModels.close();
    await store.close();
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, 'utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
}
