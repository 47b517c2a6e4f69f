import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventStore, NewFact } from '#event-store/event-store';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { systemClock } from '#kernel/clock';
import { START } from '#kernel/position';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { Projector } from '#projections/projector';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import type { ReadModelStore } from '#read-models/read-model-store';

export interface ReplayOptions {
  readonly facts: number;
  /** Over how many rooms they are spread. */
  readonly rooms: number;
  /** Rows put for each fact, each in a collection of its own. */
  readonly puts: number;
  /** Characters of each row's value. */
  readonly characters: number;
}

export interface ReplayResult {
  readonly factsPerSecond: number;
  readonly putsPerSecond: number;
  /** The longest time in milliseconds that the event loop was held. */
  readonly longestPauseMs: number;
  /** Median time in microseconds from the answer of an append to the end of `whenProcessed`, in a live system. */
  readonly singleFactUs: number;
}

/** Replays a log on disk through one projector that only writes, into views on disk, and measures it. */
export async function measureReplay(options: ReplayOptions): Promise<ReplayResult> {
  const directory = await mkdtemp(join(tmpdir(), 'annals-bench-'));
  const store = await openLmdbEventStore(join(directory, 'log'));
  const readModels = await openLmdbReadModels(join(directory, 'views'));
  try {
    await fill(store, options);
    return await measure(store, readModels, options);
  } finally {
    await readModels.close();
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(store: EventStore, readModels: ReadModelStore, options: ReplayOptions): Promise<ReplayResult> {
  const projectors = [trivialProjector(options)];
  const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: systemClock });
  const pauses = watchPauses();
  const started = performance.now();
  await runtime.start();
  await readModels.flush();
  const seconds = (performance.now() - started) / 1000;
  const replayed = store.distance(START, runtime.position()).amount;
  const longestPauseMs = pauses.stop();
  const singleFactUs = await measureSingleFacts(store, runtime);
  await runtime.stop();
  const factsPerSecond = Math.round(replayed / seconds);
  return { factsPerSecond, putsPerSecond: factsPerSecond * options.puts, longestPauseMs, singleFactUs };
}

async function measureSingleFacts(store: EventStore, runtime: ProjectionRuntime): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 500; i++) {
    const { position } = await store.append('room-live', i === 0 ? 'no-stream' : i - 1, [factOf(i)]);
    const started = performance.now();
    await runtime.whenProcessed(position);
    times.push(performance.now() - started);
    await new Promise((resolve) => setImmediate(resolve));
  }
  times.sort((a, b) => a - b);
  return Math.round(times[times.length >> 1]! * 1000);
}

/** Fills the log so that the rooms take turns, as they do in a server's life. */
async function fill(store: EventStore, { facts, rooms }: ReplayOptions): Promise<void> {
  const perTurn = 20;
  for (let from = 0; from * rooms < facts; from += perTurn) {
    const turn = Array.from({ length: rooms }, (_, room) => {
      const some = Array.from({ length: perTurn }, (_fact, i) => factOf(from + i));
      return store.append(`room-!${room}:example.org`, from === 0 ? 'no-stream' : from - 1, some);
    });
    await Promise.all(turn);
  }
}

function factOf(i: number): NewFact {
  const metadata = { at: i, actor: '@user:example.org', schema: 1, chain: '' };
  return { id: randomUUID(), type: 'pdu-accepted', data: '{}', metadata };
}

function trivialProjector({ puts, characters }: ReplayOptions): Projector {
  const collections = Array.from({ length: puts }, (_, i) => `bench-${i}`);
  const value = 'x'.repeat(characters);
  return {
    name: 'bench',
    version: 1,
    collections,
    handles: () => true,
    project({ stream, position, revision }, rows) {
      for (const [i, name] of collections.entries()) {
        // Rows that grow with the log, and for the last collection rows that are written over and over.
        if (i === collections.length - 1 && i > 0) rows.put(name, [stream, String(revision % 50)], value);
        else rows.put(name, [stream, position], value);
      }
    },
  };
}

function watchPauses(): { stop(): number } {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last - 1);
    last = now;
  }, 1);
  return {
    stop() {
      clearInterval(timer);
      return Math.round(longest * 10) / 10;
    },
  };
}
