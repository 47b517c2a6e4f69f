import { beforeEach, describe, expect, it } from 'vitest';
import { positionOf } from '#testing/position-of';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { countsProjector, said, wordsProjector } from './example-projectors.js';
import { ProjectionRuntime } from './projection-runtime.js';
import type { Projector } from './projector.js';
import { StoredProjections } from './stored-projections.js';

let store: MemoryEventStore;
let readModels: MemoryReadModels;

beforeEach(async () => {
  store = new MemoryEventStore();
  readModels = new MemoryReadModels();
  await store.append('s', 'no-stream', [said('a'), said('poison'), said('c')]);
});

function runtimeOf(projectors: readonly Projector[]): ProjectionRuntime {
  return new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: { now: () => 7 } });
}

const projectors = (): Projector[] => [wordsProjector({ refuses: new Set(['poison']) }), countsProjector()];

async function ran<T>(runtime: ProjectionRuntime, work: () => Promise<T>): Promise<T> {
  const result = await work();
  await runtime.stop();
  return result;
}

describe('projections that nobody runs', () => {
  it('are told of as by the runtime that ran them last', async () => {
    const runtime = runtimeOf(projectors());
    await runtime.start();
    const [list, letters, sums] = await ran(runtime, () =>
      Promise.all([runtime.operations.list(), runtime.operations.deadLetters(), runtime.operations.checksum('words')]),
    );
    const stored = await StoredProjections.read(store, readModels, projectors());
    const without = (speed: typeof list): unknown => speed.map((each) => ({ ...each, factsPerSecond: 0 }));
    expect(without(await stored.list())).toEqual(without(list));
    expect(await stored.deadLetters()).toEqual(letters);
    expect(letters).toHaveLength(1);
    expect(await stored.deadLetters('counts')).toEqual([]);
    expect(await stored.checksum('words')).toEqual(sums);
  });

  it('lag behind what was appended since', async () => {
    const runtime = runtimeOf(projectors());
    await ran(runtime, () => runtime.start());
    await store.append('s', 2, [said('d')]);
    const stored = await StoredProjections.read(store, readModels, projectors());
    expect(await stored.status('words')).toMatchObject({ state: 'catching-up', facts: { done: 3, of: 4 } });
  });

  it('are at the beginning where nothing was ever projected', async () => {
    const stored = await StoredProjections.read(store, undefined, projectors());
    expect(await stored.status('counts')).toMatchObject({ state: 'catching-up', facts: { done: 0, of: 3 } });
    expect(await stored.deadLetters()).toEqual([]);
    expect(await stored.checksum('words')).toEqual({});
    await expect(stored.status('nothing')).rejects.toThrow('There is no projection nothing');
  });
});

describe('a runtime that is loaded, and not started', () => {
  it('keeps what operators ask for, and does it after the next start', async () => {
    const first = runtimeOf(projectors());
    await ran(first, () => first.start());
    await store.append('s', 2, [said('d')]);

    const loaded = runtimeOf(projectors());
    await loaded.load();
    await loaded.operations.rebuild('counts');
    await loaded.operations.pause('words', 'to look at it');
    expect(await loaded.operations.status('counts')).toMatchObject({ state: 'rebuilding', facts: { done: 0 } });
    await loaded.stop();

    const stored = await StoredProjections.read(store, readModels, projectors());
    expect(await stored.status('words')).toMatchObject({ state: 'paused', position: positionOf(3) });

    const started = runtimeOf(projectors());
    await started.start();
    await ran(started, async () => {
      while ((await started.operations.status('counts')).serving.generation === 1)
        await new Promise((r) => setTimeout(r, 1));
      expect(await started.get('counts', ['word', 'd'])).toMatch(/^1@/);
      expect(await started.operations.status('words')).toMatchObject({ state: 'paused', position: positionOf(3) });
    });
  });
});
