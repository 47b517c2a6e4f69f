import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { open } from 'lmdb';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { systemClock } from '#kernel/clock';
import type { EventId } from '#kernel/ids';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { StateEntry } from '#protocol/state-trie/state-trie';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { RoomGraph } from '#rooms/graph/room-graph';
import { graphProjector } from '#rooms/projections/graph.projector';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { type Figure, median, percentile, under } from './figures.js';
import { type MadeRoom, makeRoom } from './made-room.js';

/** The members of the rooms, and how long the state at any event of them may take, in milliseconds. */
const ROOMS = [
  { members: 10_000, limitMs: 5 },
  { members: 80_000, limitMs: 50 },
];
const READS = 300;
const MAX_PAUSE_MS = 30;
const MAX_BYTES = 1_024;

/** The state at any event of a large room: how long it takes to read, what it takes on disk, and whether it holds up others. */
export async function benchStateAt(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { members, limitMs } of ROOMS) figures.push(...(await benchRoom(members, limitMs)));
  return figures;
}

async function benchRoom(members: number, limitMs: number): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-bench-'));
  const store = await openLmdbEventStore(join(directory, 'log'));
  const readModels = await openLmdbReadModels(join(directory, 'views'));
  const projectors = [graphProjector(createRoomFactReader())];
  const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: systemClock });
  try {
    const room = await makeRoom(store, members);
    const empty = sizeOf(join(directory, 'views'));
    const projecting = watchPauses();
    const started = performance.now();
    await runtime.start();
    const seconds = (performance.now() - started) / 1_000;
    await readModels.flush();
    const projectingPause = projecting.stop();
    const bytes = (sizeOf(join(directory, 'views')) - empty) / room.stateEvents;
    const graph = new RoomGraph(runtime, room.roomId);
    const reading = watchPauses();
    const whole = await timeReads(room, async (eventId) => {
      let entries = 0;
      for await (const page of (await graph.findStateAfter(eventId))!.pages()) entries += page.length;
      return entries;
    });
    const readingPause = reading.stop();
    const single = await timeReads(room, async (eventId, i) =>
      (await graph.findStateAfter(eventId))!.find('m.room.member', `@member${i % members}:bench.example`),
    );
    const last = await (await graph.findStateAfter(room.events.at(-1)!))!.list();
    const floor = {
      name: 'the same entries as one text in LMDB, read and cut, ms',
      value: await readAtOnce(directory, last),
    };
    const named = `in a room of ${members} members`;
    const p99 = percentile(whole, 99);
    return [
      { ...under(`state at any event ${named}: p99`, 'ms', p99, limitMs), floor: floor.value, floorName: floor.name },
      {
        ...under(`state at any event ${named}: median`, 'ms', median(whole), limitMs),
        floor: floor.value,
        floorName: floor.name,
      },
      under(`one key of the state at any event ${named}: p99`, 'ms', percentile(single, 99), 1),
      under(`disk for a state event ${named}`, 'bytes', bytes, MAX_BYTES),
      under(`longest pause while it is read ${named}`, 'ms', readingPause, MAX_PAUSE_MS),
      under(`longest pause while its graph is projected ${named}`, 'ms', projectingPause, MAX_PAUSE_MS),
      {
        name: `the graph of ${room.facts} facts projected`,
        value: room.facts / seconds,
        unit: 'facts/s',
        aim: '',
        reached: true,
      },
    ];
  } finally {
    await runtime.stop();
    await readModels.close();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** How long it takes to read at events from all over the room's history, in milliseconds. */
async function timeReads(
  { events }: MadeRoom,
  read: (eventId: EventId, i: number) => Promise<unknown>,
): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < READS; i++) {
    // Spread evenly, and not in the order of the log.
    const eventId = events[Math.floor((((i * 127) % READS) / READS) * events.length)]!;
    const started = performance.now();
    await read(eventId, i * 31);
    times.push(performance.now() - started);
    await nextTurn();
  }
  return times;
}

/** The least that reading a state from disk can take: the median of milliseconds for one value that has it all. */
async function readAtOnce(directory: string, entries: readonly StateEntry[]): Promise<number> {
  const root = open({ path: join(directory, 'floor'), encoding: 'string' });
  const text = entries.map(({ type, stateKey, eventId }) => `${type}\t${stateKey}\t${eventId}`).join('\n');
  try {
    await root.put('all', text);
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      const started = performance.now();
      (root.get('all') as string).split('\n').map((line) => {
        const [type, stateKey, eventId] = line.split('\t');
        return { type, stateKey, eventId };
      });
      times.push(performance.now() - started);
      await nextTurn();
    }
    return median(times);
  } finally {
    await root.close();
  }
}

function watchPauses(): { stop(): number } {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  return {
    stop() {
      delay.disable();
      return delay.max / 1e6;
    },
  };
}

function sizeOf(views: string): number {
  return statSync(join(views, 'data.mdb')).size;
}
