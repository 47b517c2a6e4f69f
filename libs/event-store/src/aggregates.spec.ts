import { beforeEach, describe, expect, it, vi } from 'vitest';
import { MatrixError } from '#kernel/matrix-error';
import { type Position, START } from '#kernel/position';
import { CountingEventStore } from '#testing/counting-event-store';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { streamSnapshots } from '#read-models/stream-snapshots';
import { Aggregates, type AggregatesOptions } from './aggregates.js';
import type { NewFact } from './event-store.js';
import { factId } from './fact-id.js';
import { verifyChain, type FactDraft } from './seal-facts.js';
import type { SnapshotCodec, SnapshotStore, StreamSnapshot } from './stream-snapshot.js';

function sums(
  store: MemoryEventStore,
  capacity = 10,
  more: Partial<AggregatesOptions<number>> = {},
): Aggregates<number> {
  return new Aggregates<number>({
    store,
    clock: { now: () => 1_700_000_000_000 },
    capacity,
    initialState: 0,
    evolve: (sum, fact) => sum + Number(fact.data),
    ...more,
  });
}

const codec: SnapshotCodec<number> = {
  version: 1,
  format: (sum) => ({ sum }),
  restore: (kept) => (kept as { sum: number }).sum,
};

let names = 0;
const add = (amount: number): FactDraft => ({ id: factId(String(names++)), type: 'added', data: String(amount) });
const alice = { actor: '@alice:example.org', device: 'PHONE', correlation: 'req' };

function takeIfNone(sum: number): FactDraft[] {
  if (sum > 0) throw new MatrixError('M_FORBIDDEN');
  return [add(5)];
}

describe('Aggregates', () => {
  it('decides upon the folded state and appends sealed facts', async () => {
    const store = new MemoryEventStore();
    const aggregates = sums(store);
    const existed: boolean[] = [];
    const decide = (sum: number, exists: boolean) => {
      existed.push(exists);
      return [add(sum + 1), add(10)];
    };
    await aggregates.execute('a', decide, alice);
    const second = await aggregates.execute('a', decide, alice);
    expect(second).toMatchObject({ state: 33, position: await store.head() });
    expect(existed).toEqual([false, true]);
    let chain: string | undefined;
    for (const fact of store.facts) {
      expect(verifyChain(chain, fact)).toBe(true);
      expect(fact.metadata).toMatchObject({ ...alice, at: 1_700_000_000_000 });
      ({ chain } = fact.metadata);
    }
    expect(store.facts.map((fact) => fact.data)).toEqual(['1', '10', '12', '10']);
  });

  it('reads nothing for a warm stream', async () => {
    const store = new CountingEventStore();
    const aggregates = sums(store);
    await aggregates.execute('a', () => [add(1)], alice);
    const { reads } = store;
    for (let turn = 0; turn < 5; turn++) await aggregates.execute('a', () => [add(1)], alice);
    expect(store.reads).toBe(reads);
  });

  it('decides again when another process was faster', async () => {
    const store = new MemoryEventStore();
    const [here, there] = [sums(store), sums(store)];
    await here.execute('a', () => [add(1)], alice);
    await there.execute('a', () => [add(2)], alice);
    const seen: number[] = [];
    const { state } = await here.execute(
      'a',
      (sum) => {
        seen.push(sum);
        return [add(sum)];
      },
      alice,
    );
    expect(seen).toEqual([1, 3]);
    expect(state).toBe(6);
  });

  it('takes no fact of another process for its own, whatever both are named', async () => {
    const store = new MemoryEventStore();
    const [here, there] = [sums(store), sums(store)];
    const draft = add(1);
    const [a, b] = [
      { ...alice, correlation: 'one' },
      { ...alice, correlation: 'other' },
    ];
    await Promise.all([here.execute('a', () => [draft], a), there.execute('a', () => [draft], b)]);
    await Promise.all([here.execute('a', () => [add(1)], a), there.execute('a', () => [add(1)], b)]);
    expect((await here.load('a')).state).toBe(4);
    expect(store.facts.every((fact, i) => verifyChain(store.facts[i - 1]?.metadata.chain, fact))).toBe(true);
  });

  it('lets a refusal stand only upon the newest state', async () => {
    const store = new MemoryEventStore();
    const [here, there] = [sums(store), sums(store)];
    await here.execute('a', () => [add(1)], alice);
    await there.execute('a', () => [add(-1)], alice);
    expect((await here.execute('a', takeIfNone, alice)).state).toBe(5);
    await expect(here.execute('a', takeIfNone, alice)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  });

  it('answers the newest state where there is nothing to append', async () => {
    const store = new MemoryEventStore();
    const [here, there] = [sums(store), sums(store)];
    await here.execute('a', () => [add(1)], alice);
    const { position } = await there.execute('a', () => [add(2)], alice);
    expect(await here.execute('a', () => [], alice)).toEqual({ state: 3, revision: 1, position, facts: [] });
    expect(await here.execute('b', () => [], alice)).toEqual({
      state: 0,
      revision: 'no-stream',
      position: START,
      facts: [],
    });
  });

  it('takes turns on one stream: no execution overtakes another', async () => {
    const store = new MemoryEventStore();
    const aggregates = sums(store);
    await Promise.all(Array.from({ length: 50 }, () => aggregates.execute('a', (sum) => [add(sum + 1)], alice)));
    expect((await aggregates.load('a')).state).toBe(2 ** 50 - 1);
    expect(store.facts).toHaveLength(50);
  });

  it('forgets the streams used least and reads them again', async () => {
    const aggregates = sums(new MemoryEventStore(), 2);
    for (const stream of ['a', 'b', 'c', 'd']) await aggregates.execute(stream, () => [add(7)], alice);
    expect((await aggregates.execute('a', () => [add(1)], alice)).state).toBe(8);
    expect(await aggregates.load('missing')).toEqual({
      state: 0,
      revision: 'no-stream',
      chain: undefined,
      position: START,
    });
  });
});

describe('a stream that is ended', () => {
  const over: FactDraft = { id: factId('over'), type: 'over', data: '0' };
  const fold = (sum: number, { type, data }: NewFact): number => (type === 'over' ? 0 : sum + Number(data));

  it('says so last, and all before that goes once that is shown', async () => {
    const store = new MemoryEventStore();
    const aggregates = sums(store, 10, { evolve: fold });
    await aggregates.execute('a', () => [add(1), add(2)], alice);
    const atEnd: unknown[] = [];
    const whenShown = async (position: Position): Promise<void> => {
      atEnd.push(position, ...store.facts.map(({ type }) => type));
    };
    expect(await aggregates.end('a', over, alice, whenShown)).toBe(true);
    expect(atEnd).toEqual([await store.head(), 'added', 'added', 'over']);
    expect(store.facts.map(({ type }) => type)).toEqual(['over']);
    expect(store.facts[0]!.metadata).toMatchObject(alice);
    expect(await aggregates.load('a')).toMatchObject({ state: 0, revision: 2 });
    await aggregates.execute('a', (sum) => [add(sum + 7)], alice);
    expect(store.facts.map(({ data }) => data)).toEqual(['0', '7']);
  });

  it('is not shortened meanwhile: what counted until then would be said again behind its end', async () => {
    const store = new MemoryEventStore();
    const lastOfEach = ({ type, data }: Pick<NewFact, 'type' | 'data'>): string => `${type} ${Number(data) % 2}`;
    const aggregates = sums(store, 10, { evolve: fold, lastOfEach });
    // The next fact is the one after which it is looked how many count.
    await aggregates.execute('a', () => Array.from({ length: 512 }, (_, i) => add(i)), alice);
    await aggregates.end('a', over, alice, () => new Promise((resolve) => void setTimeout(resolve, 20)));
    await aggregates.load('a');
    expect(store.facts.map(({ type }) => type)).toEqual(['over']);
  });

  it('is none where nothing was said, and is ended once', async () => {
    const store = new MemoryEventStore();
    const aggregates = sums(store, 10, { evolve: fold });
    expect(await aggregates.end('a', over, alice)).toBe(false);
    await aggregates.execute('a', () => [add(1)], alice);
    expect(await aggregates.end('a', over, alice)).toBe(true);
    expect(await aggregates.end('a', over, alice)).toBe(false);
    expect(store.facts.map(({ type }) => type)).toEqual(['over']);
  });

  it('lets go afterwards of what was left where the end was said and no more', async () => {
    const store = new MemoryEventStore();
    const aggregates = sums(store, 10, { evolve: fold });
    await aggregates.execute('a', () => [add(1)], alice);
    const isAway = async (): Promise<void> => Promise.reject(new Error('away'));
    await expect(aggregates.end('a', over, alice, isAway)).rejects.toThrow('away');
    expect(store.facts.map(({ type }) => type)).toEqual(['added', 'over']);
    expect(await sums(store, 10, { evolve: fold }).end('a', over, alice)).toBe(false);
    expect(store.facts.map(({ type }) => type)).toEqual(['over']);
  });

  it('is ended again where another process wrote behind its end', async () => {
    const store = new MemoryEventStore();
    const [one, other] = [sums(store, 10, { evolve: fold }), sums(store, 10, { evolve: fold })];
    await one.execute('a', () => [add(1)], alice);
    await one.end('a', over, alice);
    const reads = vi.spyOn(store, 'readStream').mockImplementationOnce(async function* (stream, options) {
      yield* MemoryEventStore.prototype.readStream.call(store, stream, options);
      await other.execute('a', () => [add(5)], alice);
    });
    expect(await one.end('a', { ...over, id: factId('over again') }, alice)).toBe(true);
    expect(store.facts.map(({ type }) => type)).toEqual(['over']);
    reads.mockRestore();
  });
});

describe('a long stream', () => {
  const LENGTH = 1_000;
  let store: CountingEventStore;

  beforeEach(async () => {
    store = new CountingEventStore();
    await sums(store).execute('a', () => Array.from({ length: LENGTH }, () => add(1)), alice);
  });

  it('costs one fact where only its newest one is needed', async () => {
    const here = sums(store, 10, { newestOnly: true });
    expect(await store.countFacts(() => here.execute('a', () => [add(2)], alice))).toBe(1);
    await sums(store, 10, { newestOnly: true }).execute('a', () => [add(3)], alice);
    expect(await store.countFacts(() => here.execute('a', () => [add(4)], alice))).toBe(1);
    expect(store.facts.every((fact, i) => verifyChain(store.facts[i - 1]?.metadata.chain, fact))).toBe(true);
  });

  it('is folded from its snapshot, and the facts behind that', async () => {
    const readModels = new MemoryReadModels();
    const cold = (): Aggregates<number> =>
      sums(store, 10, { snapshots: { store: streamSnapshots(readModels, 'sum'), codec } });
    expect(await store.countFacts(() => cold().load('a'))).toBe(LENGTH);
    for (let more = 0; more < 3; more++) await cold().execute('a', () => [add(1)], alice);
    const last = cold();
    expect(await store.countFacts(() => last.load('a'))).toBe(4); // the one at the snapshot, three behind it
    expect(await last.load('a')).toMatchObject({ state: LENGTH + 3, revision: LENGTH + 2 });
    expect(await sums(store).load('a')).toMatchObject({ state: LENGTH + 3, chain: (await last.load('a')).chain });
  });

  it('gets a new snapshot now and then, so that little lies behind the last', async () => {
    const readModels = new MemoryReadModels();
    const snapshots = { store: streamSnapshots(readModels, 'sum'), codec };
    const here = sums(store, 10, { snapshots });
    for (let more = 0; more < 300; more++) await here.execute('a', () => [add(1)], alice);
    expect(await store.countFacts(() => sums(store, 10, { snapshots }).load('a'))).toBeLessThan(260);
  });

  it.each([
    ['another version', { version: 2 }],
    ['another log', { chain: 'f'.repeat(64) }],
    ['more than the log has', { revision: LENGTH + 7 }],
    ['another shape than was written', { state: null }],
  ])('is folded from its first fact where the snapshot is of %s', async (_, lie) => {
    const truth = { version: 1, revision: 1, chain: store.facts[1]!.metadata.chain, state: { sum: 99 } };
    const keep = vi.fn<SnapshotStore['keep']>(async () => {});
    const snapshots = (found: StreamSnapshot) => ({ store: { find: async () => found, keep }, codec });
    expect((await sums(store, 1, { snapshots: snapshots(truth) }).load('a')).state).toBe(LENGTH - 2 + 99);
    expect((await sums(store, 1, { snapshots: snapshots({ ...truth, ...lie }) }).load('a')).state).toBe(LENGTH);
  });
});
