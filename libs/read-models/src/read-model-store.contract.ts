import { once } from 'node:events';
import { createInterface } from 'node:readline';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startScript } from '#testing/start-script';
import { compareKeys } from './compare-keys.js';
import type { Key, ReadModelStore, Row, ScanOptions, Write } from './read-model-store.js';

const put = (collection: string, key: Key, value: string): Write => ({ collection, key, value });
const remove = (collection: string, key: Key): Write => ({ collection, key, value: null });
const all = { limit: 10_000 };

/** Where the rows of a test are: in `pending` they may still wait in memory, in `stored` they are on disk. */
const settle = {
  pending: async (_store: ReadModelStore) => {},
  stored: (store: ReadModelStore) => store.flush(),
};

/**
 * What every store of views promises. `open` opens the same, at first empty, store again and again within one test; `clear`
 * empties it between tests; `where` names it for another process (see `endless-writer.ts`).
 */
export function describeReadModels(
  name: string,
  where: string,
  open: () => Promise<ReadModelStore>,
  clear: () => Promise<void>,
): void {
  describe(name, () => {
    let store: ReadModelStore;

    beforeEach(async () => {
      await clear();
      store = await open();
    });

    afterEach(async () => {
      await store.close();
    });

    describeRows(() => store);
    describe.each(['pending', 'stored'] as const)('with rows %s', (state) => {
      describeScans(() => store, settle[state]);
    });
    describeSizes(() => store);
    describeCollections(() => store);
    describeRenewal(() => store);
    describeLife(
      () => store,
      async () => (store = await open()),
      where,
    );
  });
}

function describeRows(get: () => ReadModelStore): void {
  it('answers what was written as soon as write settles', async () => {
    const store = get();
    await store.write([put('a', ['k'], 'one'), put('b', ['k'], 'two')]);
    expect(await store.get('a', ['k'])).toBe('one');
    expect(await store.get('b', ['k'])).toBe('two');
    expect(await store.scan('a', all)).toEqual([{ key: ['k'], value: 'one' }]);
  });

  it('knows nothing of rows and collections that were never written', async () => {
    const store = get();
    await store.write([put('a', ['k'], 'one')]);
    expect(await store.get('a', ['l'])).toBeUndefined();
    expect(await store.get('nothing', ['k'])).toBeUndefined();
    expect(await store.scan('nothing', all)).toEqual([]);
  });

  it('does not take the first parts of a key for the key', async () => {
    const store = get();
    await store.write([put('a', ['k', ''], 'longer')]);
    expect(await store.get('a', ['k'])).toBeUndefined();
    expect(await store.get('a', ['k', ''])).toBe('longer');
  });

  it('answers many keys in the order asked, with gaps', async () => {
    const store = get();
    await store.write([put('a', ['1'], 'one'), put('a', ['2'], 'two')]);
    expect(await store.getMany('a', [['2'], ['3'], ['1'], ['2']])).toEqual(['two', undefined, 'one', 'two']);
    expect(await store.getMany('a', [])).toEqual([]);
  });

  it('applies the writes of a batch in order', async () => {
    const store = get();
    await store.write([put('a', ['k'], 'one'), remove('a', ['k']), put('b', ['k'], 'one'), put('b', ['k'], 'two')]);
    expect(await store.getMany('a', [['k']])).toEqual([undefined]);
    expect(await store.get('b', ['k'])).toBe('two');
    await store.write([remove('b', ['k']), put('b', ['k'], 'three')]);
    await store.flush();
    expect(await store.get('b', ['k'])).toBe('three');
  });

  it('deletes what is stored, and what is not there without complaint', async () => {
    const store = get();
    await store.write([put('a', ['k'], 'one'), put('a', ['l'], 'two')]);
    await store.flush();
    await store.write([remove('a', ['k']), remove('a', ['m'])]);
    expect(await store.get('a', ['k'])).toBeUndefined();
    expect(await store.scan('a', all)).toEqual([{ key: ['l'], value: 'two' }]);
    await store.flush();
    expect(await store.scan('a', all)).toEqual([{ key: ['l'], value: 'two' }]);
  });

  it('takes an empty batch', async () => {
    await get().write([]);
    expect(await get().collections()).toEqual([]);
  });
}

function describeScans(get: () => ReadModelStore, settled: (store: ReadModelStore) => Promise<void>): void {
  const scan = async (options: ScanOptions): Promise<Key[]> => (await get().scan('a', options)).map((row) => row.key);
  const fill = async (keys: readonly Key[]): Promise<void> => {
    await get().write(keys.map((key) => put('a', key, key.join('|'))));
    await settled(get());
  };

  it('answers rows in the order of the UTF-8 bytes of the parts', async () => {
    const ordered = [[''], ['', ''], ['\0'], ['\0\0'], ['\x01'], ['A'], ['a'], ['a', ''], ['a', 'b'], ['a\0'], ['ab'], ['é'], ['ÿ'], ['\ud7ff'], ['\uffff'], ['😀']]; // prettier-ignore
    await fill(ordered.toReversed());
    expect(await scan(all)).toEqual(ordered);
    expect(await scan({ ...all, reverse: true })).toEqual(ordered.toReversed());
  });

  it('takes a prefix by whole parts only', async () => {
    await fill([
      ['room', '1'],
      ['room', '2', 'x'],
      ['room'],
      ['room1', '1'],
      ['roo', 'm'],
      ['room\0', '1'],
      ['😀', 'a'],
    ]);
    expect(await scan({ ...all, prefix: ['room'] })).toEqual([['room'], ['room', '1'], ['room', '2', 'x']]);
    expect(await scan({ ...all, prefix: ['room', '2'] })).toEqual([['room', '2', 'x']]);
    expect(await scan({ ...all, prefix: ['room', '2'], reverse: true })).toEqual([['room', '2', 'x']]);
    expect(await scan({ ...all, prefix: ['room', ''] })).toEqual([]);
    expect(await scan({ ...all, prefix: ['😀'] })).toEqual([['😀', 'a']]);
    expect(await scan({ ...all, prefix: [] })).toHaveLength(7);
  });

  it('pages with after and before, both exclusive, in both directions', async () => {
    await fill([
      ['a', '1'],
      ['a', '2'],
      ['a', '3'],
      ['a', '4'],
      ['b', '1'],
    ]);
    const prefix = ['a'];
    expect(await scan({ prefix, after: ['a', '1'], limit: 2 })).toEqual([
      ['a', '2'],
      ['a', '3'],
    ]);
    expect(await scan({ prefix, after: ['a', '3'], limit: 9 })).toEqual([['a', '4']]);
    expect(await scan({ prefix, before: ['a', '3'], limit: 9 })).toEqual([
      ['a', '1'],
      ['a', '2'],
    ]);
    expect(await scan({ prefix, before: ['a', '3'], reverse: true, limit: 1 })).toEqual([['a', '2']]);
    expect(await scan({ after: ['a', '1'], before: ['b', '1'], limit: 9 })).toEqual([
      ['a', '2'],
      ['a', '3'],
      ['a', '4'],
    ]);
    expect(await scan({ after: ['a', '2'], before: ['a', '4'], reverse: true, limit: 9 })).toEqual([['a', '3']]);
    expect(await scan({ after: ['a', '1', 'x'], limit: 1 })).toEqual([['a', '2']]);
    expect(await scan({ after: ['a', '4'], before: ['a', '4'], limit: 9 })).toEqual([]);
    expect(await scan({ prefix, after: ['b', '1'], limit: 9 })).toEqual([]);
    expect(await scan({ ...all, limit: 0 })).toEqual([]);
  });

  it('pages with from and to, both inclusive, in both directions', async () => {
    await fill([
      ['a', '1'],
      ['a', '2'],
      ['a', '2', 'x'],
      ['a', '3'],
      ['b', '1'],
    ]);
    const prefix = ['a'];
    expect(await scan({ prefix, from: ['a', '2'], limit: 2 })).toEqual([
      ['a', '2'],
      ['a', '2', 'x'],
    ]);
    expect(await scan({ prefix, to: ['a', '2'], reverse: true, limit: 9 })).toEqual([
      ['a', '2'],
      ['a', '1'],
    ]);
    expect(await scan({ from: ['a', '2'], to: ['a', '2'], limit: 9 })).toEqual([['a', '2']]);
    expect(await scan({ from: ['a', '2'], before: ['a', '3'], limit: 9 })).toHaveLength(2);
    expect(await scan({ after: ['a', '3'], to: ['b', '1'], limit: 9 })).toEqual([['b', '1']]);
    expect(await scan({ from: ['a', '1'], after: ['a', '2', 'x'], limit: 1 })).toEqual([['a', '3']]);
    expect(await scan({ from: ['a', '3'], to: ['a', '2'], limit: 9 })).toEqual([]);
    expect(await scan({ prefix: ['b'], to: ['a', '9'], limit: 9 })).toEqual([]);
  });

  it('reads at hand what it reads, if it has rows at hand', async () => {
    const store = get();
    await store.write(['a', 'b', 'c'].map((key) => put('a', [key], `is ${key}`)));
    await settled(store);
    await store.write([remove('a', ['b'])]);
    const { atHand = store } = store;
    for (const key of ['a', 'b', 'd']) expect(await atHand.get('a', [key])).toBe(await store.get('a', [key]));
    for (const options of [{ limit: 1 }, { limit: 9, reverse: true }, { limit: 9, prefix: ['b'] }])
      expect(await atHand.scan('a', options)).toEqual(await store.scan('a', options));
  });

  it('answers any scan as a sorted array would', async () => {
    const part = fc.string({ unit: fc.constantFrom('\0', '\x01', 'a', 'b', 'é', '\uffff', '😀'), maxLength: 3 });
    const key = fc.array(part, { minLength: 1, maxLength: 3 });
    const options = fc.record(
      {
        prefix: fc.array(part, { maxLength: 2 }),
        after: key,
        before: key,
        from: key,
        to: key,
        reverse: fc.boolean(),
        limit: fc.nat(8),
      },
      { requiredKeys: ['limit'] },
    );
    const property = fc.asyncProperty(
      fc.array(key, { maxLength: 30 }),
      fc.array(key, { maxLength: 10 }),
      options,
      async (puts, deletes, wanted) => {
        await get().drop('a');
        await fill(puts);
        const kept = [...puts.slice(0, 3), ...deletes];
        await get().write(kept.map((each) => remove('a', each)));
        const gone = new Set(kept.map((each) => JSON.stringify(each)));
        const left = new Map(puts.map((each) => [JSON.stringify(each), each]));
        for (const each of gone) left.delete(each);
        expect(await scan(wanted)).toEqual(expectedScan([...left.values()], wanted));
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });
}

function expectedScan(keys: Key[], { prefix = [], after, before, from, to, reverse, limit }: ScanOptions): Key[] {
  const inside = keys
    .filter((key) => prefix.every((part, i) => key[i] === part))
    .filter((key) => after === undefined || compareKeys(key, after) > 0)
    .filter((key) => before === undefined || compareKeys(key, before) < 0)
    .filter((key) => from === undefined || compareKeys(key, from) >= 0)
    .filter((key) => to === undefined || compareKeys(key, to) <= 0)
    .sort(compareKeys);
  return (reverse ? inside.toReversed() : inside).slice(0, limit);
}

function describeSizes(get: () => ReadModelStore): void {
  it('takes keys of four ids of 255 bytes', async () => {
    const key = ['a', 'b', 'c', 'd'].map((each) => each.repeat(255));
    await get().write([put('a', key, 'long'), put('a', [...key.slice(0, 3), `${'d'.repeat(254)}e`], 'longer')]);
    await get().flush();
    expect(await get().get('a', key)).toBe('long');
    expect(await get().scan('a', { prefix: key.slice(0, 3), after: key, limit: 5 })).toHaveLength(1);
  });

  it('refuses a key that is too long or empty, and writes nothing of its batch', async () => {
    await expect(get().write([put('a', ['1'], 'one'), put('a', ['k'.repeat(2000)], 'x')])).rejects.toThrow(RangeError);
    await expect(get().write([put('a', [], 'x')])).rejects.toThrow(RangeError);
    expect(await get().scan('a', all)).toEqual([]);
  });

  it('has no row under a key that is too long to be written', async () => {
    await get().write([put('a', ['1'], 'one')]);
    const long = ['k'.repeat(2000)];
    expect(await get().get('a', long)).toBeUndefined();
    expect(await get().getMany('a', [['1'], long, [...long, 'é']])).toEqual(['one', undefined, undefined]);
    await get().flush();
    expect(await get().get('a', long)).toBeUndefined();
  });

  it('finds nothing under a prefix that is too long to be written, and divides its rows by a bound that is', async () => {
    const [long, between] = ['k'.repeat(2000), 'k'.repeat(1000)];
    await get().write([put('a', ['1'], 'one'), put('a', [between], 'between'), put('a', ['l'], 'last')]);
    const scan = async (bounds: Omit<ScanOptions, 'limit'>): Promise<string[]> =>
      (await get().scan('a', { ...bounds, limit: 5 })).map(({ value }) => value);
    for (const isFlushed of [false, true]) {
      if (isFlushed) await get().flush();
      expect(await scan({ prefix: [long] })).toEqual([]);
      expect(await scan({ prefix: [long, 'x'] })).toEqual([]);
      expect(await scan({ after: [long] })).toEqual(['last']);
      expect(await scan({ from: [long] })).toEqual(['last']);
      expect(await scan({ before: [long] })).toEqual(['one', 'between']);
      expect(await scan({ to: [long], reverse: true })).toEqual(['between', 'one']);
    }
  });

  it('keeps every text byte for byte, the empty one too', async () => {
    const values = ['', ' ', '\0', 'é', '😀'.repeat(1000), '{"a":"\\u0000"}', '\ufeffx', 'x'.repeat(70_000)];
    await get().write(values.map((value, i) => put('a', [String(i)], value)));
    await get().flush();
    expect((await get().scan('a', all)).map((row) => row.value)).toEqual(values);
    expect(
      await get().getMany(
        'a',
        values.map((_, i) => [String(i)]),
      ),
    ).toEqual(values);
  });

  it('keeps values of 5 MB and of 20 MB', async () => {
    const big = 'ä{"x":1}'.repeat(600_000);
    const huge = 'y'.repeat(20_000_000);
    await get().write([put('a', ['1'], big), put('a', ['2'], 'small'), put('a', ['3'], huge)]);
    await get().flush();
    expect((await get().get('a', ['1'])) === big).toBe(true);
    expect((await get().get('a', ['3'])) === huge).toBe(true);
    expect((await get().scan('a', all)).map((row) => row.value.length)).toEqual([big.length, 5, huge.length]);
    expect((await get().scan('a', { limit: 1, reverse: true })).map((row) => row.key)).toEqual([['3']]);
    await get().write([put('a', ['3'], 'tiny'), remove('a', ['1'])]);
    await get().flush();
    expect(await get().scan('a', all)).toEqual([
      { key: ['2'], value: 'small' },
      { key: ['3'], value: 'tiny' },
    ]);
  });

  it('takes a batch of ten thousand rows', async () => {
    await get().write(Array.from({ length: 10_000 }, (_, i) => put('a', [String(i).padStart(5, '0')], `${i}`)));
    expect(await get().get('a', ['09999'])).toBe('9999');
    await get().flush();
    expect(await get().scan('a', { after: ['04998'], limit: 2 })).toEqual([
      { key: ['04999'], value: '4999' },
      { key: ['05000'], value: '5000' },
    ]);
  });
}

function describeCollections(get: () => ReadModelStore): void {
  it('lists the collections that hold rows', async () => {
    await get().write([put('b@1.0', ['k'], '1'), put('a-b_c@2.1', ['k'], '1'), put('gone', ['k'], '1')]);
    await get().write([remove('gone', ['k'])]);
    expect(await get().collections()).toEqual(['a-b_c@2.1', 'b@1.0']);
    await get().flush();
    expect(await get().collections()).toEqual(['a-b_c@2.1', 'b@1.0']);
  });

  it.each(['pending', 'stored'] as const)(
    'drops a collection whose rows are %s, for good, and can fill it again',
    async (state) => {
      const store = get();
      await store.write([put('a', ['k'], 'old'), put('a', ['l'], 'old'), put('b', ['k'], 'stays')]);
      await settle[state](store);
      await store.drop('a');
      expect(await store.get('a', ['k'])).toBeUndefined();
      expect(await store.collections()).toEqual(['b']);
      await store.write([put('a', ['m'], 'new')]);
      await store.flush();
      expect(await store.scan('a', all)).toEqual([{ key: ['m'], value: 'new' }]);
      await store.drop('never-there');
    },
  );
}

function describeRenewal(get: () => ReadModelStore): void {
  it('answers what it did while its files are renewed and after that, if it has such files', async () => {
    const store = get();
    await store.write([
      put('a', ['k'], 'old'),
      put('a', ['gone'], 'gone'),
      put('b', ['k'], 'stays'),
      put('c', ['k'], 'c'),
    ]);
    await store.flush();
    const renewal = store.renew?.();
    await store.write([put('a', ['k'], 'new'), remove('a', ['gone']), put('d', ['k'], 'made')]);
    await store.drop('c');
    const expectAll = async (): Promise<void> => {
      expect(await store.scan('a', all)).toEqual([{ key: ['k'], value: 'new' }]);
      expect(await store.collections()).toEqual(['a', 'b', 'd']);
      expect(await store.get('b', ['k'])).toBe('stays');
    };
    await expectAll();
    await renewal;
    await expectAll();
    await store.flush();
    await expectAll();
  });
}

function longValue(round: number): string {
  return `${round}:`.repeat(200);
}

function describeLife(get: () => ReadModelStore, reopen: () => Promise<ReadModelStore>, where: string): void {
  it('still has everything after it was closed and opened', async () => {
    const rows: Row[] = Array.from({ length: 500 }, (_, i) => ({ key: [String(i).padStart(3, '0')], value: `${i}` }));
    await get().write(rows.map((row) => put('a', row.key, row.value)));
    await get().write([put('b', ['k'], 'x')]);
    await get().drop('b');
    await get().close();
    const store = await reopen();
    expect(await store.scan('a', all)).toEqual(rows);
    expect(await store.collections()).toEqual(['a']);
  });

  it('has whole calls, and all before those it has, after its process was killed', async () => {
    await get().close();
    const { process: writer, remove: forget } = await startScript('libs/read-models/src/endless-writer.ts', [where]);
    let rounds = 0;
    let started: number | undefined;
    for await (const line of createInterface({ input: writer.stdout! })) {
      started ??= performance.now();
      rounds = Number(line);
      if (rounds >= 100 && performance.now() - started > 500) writer.kill('SIGKILL');
    }
    if (writer.signalCode === null) await once(writer, 'exit');
    await forget();
    const store = await reopen();
    const survived = Number((await store.get('checkpoint', ['round'])) ?? '0');
    expect(survived).toBeLessThanOrEqual(rounds + 1);
    const found = new Set<string>();
    const foreign: string[] = [];
    for (const collection of ['a', 'b', 'c']) {
      // The writer is as fast as the machine: all that is there is looked at.
      const rows = await store.scan(collection, { limit: Number.MAX_SAFE_INTEGER });
      for (const { key, value } of rows) {
        if (!value.startsWith(`${Number(key[0])}:`) || Number(key[0]) > survived) foreign.push(value.slice(0, 40));
        found.add(key.join('/'));
      }
    }
    expect(foreign).toEqual([]);
    const missing: string[] = [];
    for (let round = 1; round <= survived; round++) {
      for (let i = 0; i < 1 + (round % 50); i++) {
        const key = `${String(round).padStart(8, '0')}/${i}`;
        if (!found.has(key)) missing.push(key);
      }
    }
    expect(missing).toEqual([]);
    const latest = Number.parseInt((await store.get('latest', ['row'])) ?? '0', 10);
    expect(latest).toBe(survived);
    expect(survived).toBeGreaterThan(0);
  });

  it('shows every reader whole rows while it is written', async () => {
    const store = get();
    const done = new AbortController();
    const reader = async (): Promise<number> => {
      let seen = -1;
      while (!done.signal.aborted) {
        const rows = await store.scan('a', { prefix: ['r'], limit: 100 });
        for (const row of rows) expect(row.value).toBe(longValue(Number(row.value.slice(0, row.value.indexOf(':')))));
        const newest = Math.max(-1, ...rows.map((row) => Number(row.value.slice(0, row.value.indexOf(':')))));
        expect(newest).toBeGreaterThanOrEqual(seen);
        seen = Math.max(seen, newest);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return seen;
    };
    const readers = Array.from({ length: 8 }, reader);
    for (let round = 0; round < 20; round++) {
      await store.write(Array.from({ length: 50 }, (_, i) => put('a', ['r', String(i)], longValue(round))));
      expect(await store.get('a', ['r', '49'])).toBe(longValue(round));
    }
    done.abort();
    expect(await Promise.all(readers)).toEqual(Array(8).fill(expect.any(Number)));
  });
}
