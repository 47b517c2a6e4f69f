import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { verifyInOrder } from '#cli/verify/verify-in-order';
import type { EventStore } from '#event-store/event-store';
import { openKurrentEventStore } from '#event-store/kurrentdb/kurrentdb-event-store';
import { sealFacts, type UnsealedFact } from '#event-store/seal-facts';
import { systemClock } from '#kernel/clock';
import { START } from '#kernel/position';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { Projector } from '#projections/projector';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { type Figure, median, ofFloor } from './figures.js';

const STAND_IN = fileURLToPath(new URL('event-store-stand-in.js', import.meta.url));
const STREAMS = 2_000;
/** Each stream is written in turns, as the rooms of a server are. */
const TURNS = 4;
const FACTS_PER_TURN = 5;
const FACTS = STREAMS * TURNS * FACTS_PER_TURN;
const WRITERS = 32;
const ROUNDS = 3;

/**
 * A log on a server, for which a stand-in in a process of its own stands: how fast `annals verify` goes through it, and how
 * fast views are filled from it at the start and in a rebuild, against only reading it.
 */
export async function benchEventStoreServer(): Promise<Figure[]> {
  const standIn = spawn(process.execPath, [STAND_IN], { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = once(standIn, 'exit');
  try {
    const [url] = (await once(createInterface({ input: standIn.stdout }), 'line')) as [string];
    const store = await openKurrentEventStore(url);
    try {
      await fill(store);
      return await measure(store);
    } finally {
      await store.close();
    }
  } finally {
    standIn.stdin.end();
    await gone;
  }
}

async function measure(store: EventStore): Promise<Figure[]> {
  const [raw, verified, replayed, rebuilt]: number[][] = [[], [], [], []];
  // In turns, so that a noisy moment hits all.
  for (let round = 0; round < ROUNDS; round++) {
    raw!.push(await factsPerSecond(() => readAll(store)));
    verified!.push(await factsPerSecond(() => verify(store)));
    const { replay, rebuild } = await fillViews(store);
    replayed!.push(replay);
    rebuilt!.push(rebuild);
  }
  const floor = { name: `only reading ${FACTS} facts in ${STREAMS} streams`, value: median(raw!) };
  return [
    ofFloor('log on a server: verify, in order', 'facts/s', median(verified!), floor, 1 / 2),
    ofFloor('log on a server: replay through one projector', 'facts/s', median(replayed!), floor, 1 / 2),
    ofFloor('log on a server: rebuild of one projector', 'facts/s', median(rebuilt!), floor, 1 / 2),
  ];
}

async function factsPerSecond(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (FACTS / (performance.now() - started)) * 1_000;
}

async function readAll(store: EventStore): Promise<void> {
  let facts = 0;
  for await (const batch of store.readAll({ after: START })) facts += batch.length;
  checkCount(facts);
}

async function verify(store: EventStore): Promise<void> {
  const { facts } = await verifyInOrder({
    store,
    head: await store.head(),
    keys: () => undefined,
    report: ({ problem }) => {
      throw new Error(problem);
    },
    onFact: () => {},
    onPlace: () => {},
  });
  checkCount(facts);
}

function checkCount(facts: number): void {
  if (facts !== FACTS) throw new Error(`${facts} facts came of ${FACTS}`);
}

async function fillViews(store: EventStore): Promise<{ replay: number; rebuild: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-bench-'));
  const readModels = await openLmdbReadModels(join(directory, 'views'));
  let projected = 0;
  const projectors = [oneRowEach(() => projected++)];
  const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: systemClock });
  try {
    const replay = await factsPerSecond(() => runtime.start());
    checkCount(projected);
    const rebuild = await factsPerSecond(() => rebuildBench(runtime));
    checkCount(projected - FACTS);
    return { replay, rebuild };
  } finally {
    await runtime.stop();
    await readModels.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Settles when the new generation serves. */
async function rebuildBench(runtime: ProjectionRuntime): Promise<void> {
  await runtime.operations.rebuild('bench');
  for (;;) {
    const { next, lastError } = await runtime.operations.status('bench');
    if (next === undefined) return;
    if (next.state === 'failed') throw new Error(lastError);
    await delay(50);
  }
}

function oneRowEach(onFact: () => void): Projector {
  return {
    name: 'bench',
    version: 1,
    collections: ['bench'],
    handles: () => true,
    project({ stream, position, id }, rows) {
      onFact();
      rows.put('bench', [stream, position], id);
    },
  };
}

async function fill(store: EventStore): Promise<void> {
  const chains = new Map<number, string>();
  for (let turn = 0; turn < TURNS; turn++) {
    let next = 0;
    const write = async (): Promise<void> => {
      while (next < STREAMS) {
        const stream = next++;
        const drafts = Array.from({ length: FACTS_PER_TURN }, (_, i) => draftOf(turn * FACTS_PER_TURN + i));
        const facts = sealFacts(chains.get(stream), drafts);
        const expected = turn === 0 ? 'no-stream' : turn * FACTS_PER_TURN - 1;
        await store.append(`bench-${stream}`, expected, facts);
        chains.set(stream, facts.at(-1)!.metadata.chain);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
  }
}

function draftOf(n: number): UnsealedFact {
  const at = 1_700_000_000_000 + n;
  return {
    id: randomUUID(),
    type: 'something-happened',
    data: JSON.stringify({ n }),
    at,
    actor: '@user:bench.example',
  };
}
