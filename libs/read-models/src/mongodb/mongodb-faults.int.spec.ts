import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MongoProxy } from '#testing/mongo-proxy';
import { withLease } from '#testing/with-lease';
import { ViewsGone, ViewsTaken, ViewsUnavailable } from '../read-model-errors.js';
import type { ReadModelStore, Write } from '../read-model-store.js';
import { nameIn } from './life-names.js';
import { type MongoReadModelOptions, openMongoReadModels } from './mongodb-read-model-store.js';

const mongo = process.env['ANNALS_READ_MODELS_URL'];

/** Mostly within three seconds; where nobody looks at the server any more, once that is noticed (`renewed-client.ts`). */
const BACK_MS = 25_000;

const put = (collection: string, key: string, value: string): Write => ({ collection, key: [key], value });
const remove = (collection: string, key: string): Write => ({ collection, key: [key], value: null });

describe.skipIf(mongo === undefined)('MongoDB read models (where ANNALS_READ_MODELS_URL names one)', () => {
  const url = new URL(mongo ?? 'mongodb://127.0.0.1/');
  url.pathname = `/annals-faults-${process.pid}`;
  let proxy: MongoProxy;
  let raw: MongoClient;
  let opened: ReadModelStore[];

  beforeEach(async () => {
    proxy = await MongoProxy.begin(url.href);
    raw = await new MongoClient(url.href).connect();
    opened = [];
  });

  afterEach(async () => {
    for (const store of opened) await store.close().catch(() => {});
    await proxy.end();
    await raw.db().dropDatabase();
    await raw.close();
  });

  const open = async (where: string, options?: MongoReadModelOptions): Promise<ReadModelStore> => {
    const store = await openMongoReadModels(where, options);
    opened.push(store);
    return store;
  };

  /** Opens them as the next process to write, though the one before has neither closed them nor been waited for. */
  const take = async (where: string, options?: MongoReadModelOptions): Promise<ReadModelStore> => {
    await raw
      .db()
      .collection('annals.journal')
      .updateMany({}, { $set: { owner: null } });
    return withLease(await open(where, options));
  };

  /** What a collection of the views is called in the database as they are now. */
  const nameOf = async (collection: string): Promise<string> => {
    const journal = await raw
      .db()
      .collection<{ _id: string; life: string }>('annals.journal')
      .findOne({ _id: 'journal' });
    return nameIn(journal?.life, collection);
  };

  const rowsOf = async (store: ReadModelStore): Promise<Record<string, string>> => {
    const rows: Record<string, string> = {};
    for (const collection of ['a', 'b', 'c']) {
      for (const { key, value } of await store.scan(collection, { limit: 10 })) rows[`${collection} ${key[0]}`] = value;
    }
    return rows;
  };

  const until = async (condition: () => boolean, milliseconds: number): Promise<number> => {
    const started = performance.now();
    while (!condition() && performance.now() - started < milliseconds) await delay(20);
    expect(condition()).toBe(true);
    return performance.now() - started;
  };

  const large = (letter: string): string => letter.repeat(1_200_000);
  const before = [put('a', '1', 'one'), put('b', '1', large('o')), put('c', 'checkpoint', '1')];
  const after = [put('a', '1', 'two'), put('a', '2', 'two'), put('b', '1', large('t')), put('c', 'checkpoint', '2')];
  const last = [...after, remove('a', '2')];

  it('is waited for where it is not there yet, which is said once, and is then open', async () => {
    proxy.goAway();
    const said: string[] = [];
    const opening = openMongoReadModels(proxy.url, { waitMs: Infinity, onWaiting: (reason) => said.push(reason) });
    await expect.poll(() => said.length).toBe(1);
    await delay(6000);
    expect(said).toEqual([expect.stringMatching(/^The database of the views at .* does not answer: .+/)]);
    proxy.comeBack();
    const store = await opening;
    opened.push(store);
    await withLease(store);
    await store.write(before);
    expect(await store.get('a', ['1'])).toBe('one');
  }, 30_000);

  it('has all rows of a write or none, wherever its writer was cut off', async () => {
    const seen = new Set<string>();
    let hasEnded = false;
    for (let writes = 0; !hasEnded; writes++) {
      await raw.db().dropDatabase();
      await (await take(url.href)).write(before);
      const writer = await take(proxy.url);
      proxy.writesLeft = writes;
      hasEnded = await writer.write(last).then(
        () => true,
        () => false,
      );
      proxy.goAway();
      const rows = await rowsOf(await take(url.href));
      const checkpoint = rows['c checkpoint'];
      seen.add(`${checkpoint} ${hasEnded}`);
      const expected = checkpoint === '1' ? before : [after[0]!, after[2]!, after[3]!];
      expect(rows).toEqual(Object.fromEntries(expected.map((w) => [`${w.collection} ${w.key[0]}`, w.value])));
      proxy.comeBack();
    }
    // Cut off before it was noted, after that, and not at all.
    expect([...seen]).toEqual(['1 false', '2 false', '2 true']);
  });

  it('shows nobody the last row of a write before all others of it', async () => {
    const [writer, reader] = [await take(proxy.url), await open(url.href, { readOnly: true })];
    // What comes first may be written first: here that is the collection of the last row.
    const next = [put('c', '1', 'two'), ...after];
    const seen: string[] = [];
    for (let writes = 1; seen.at(-1) !== '2'; writes++) {
      await writer.write([put('c', '1', 'one'), ...before, remove('a', '2')]);
      proxy.holdAfter(writes);
      // What is written to one collection alone, as snapshots are, goes with it.
      const writing = Promise.all([writer.write(next), writer.write([put('s', '1', 'snapshot')])]);
      await Promise.race([writing, until(() => proxy.isHolding, 10_000).catch(() => {})]);
      // What was let through may still be on its way.
      await delay(100);
      const checkpoint = (await reader.get('c', ['checkpoint']))!;
      const rows = await rowsOf(reader);
      seen.push(checkpoint);
      if (checkpoint === '2') expect([rows['a 1'], rows['a 2'], rows['b 1']]).toEqual(['two', 'two', large('t')]);
      proxy.comeBack();
      await writing;
    }
    expect(seen.length).toBeGreaterThan(3);
  }, 60_000);

  it('makes whole what a failed call left, before anything else is written', async () => {
    const writer = await take(proxy.url);
    await writer.write(before);
    proxy.writesLeft = 2;
    await expect(writer.write(after)).rejects.toThrow(ViewsUnavailable);
    proxy.comeBack();
    await expect.poll(() => writer.flush().catch(String), { timeout: BACK_MS, interval: 100 }).toBeUndefined();
    expect((await rowsOf(writer))['c checkpoint']).toBe('2');
    expect((await rowsOf(writer))['a 2']).toBe('two');
  }, 40_000);

  it('are kept on the server where who does not write them says so', async () => {
    const [writer, reader] = [await take(url.href), await open(proxy.url)];
    await writer.write(before);
    proxy.writesLeft = 0;
    await expect(reader.flush()).rejects.toThrow(ViewsUnavailable);
    proxy.comeBack();
    await reader.flush();
    await writer.write(last);
    expect(await rowsOf(reader)).toEqual(await rowsOf(writer));
  });

  it('writes nothing more once a call has failed', async () => {
    const writer = await take(proxy.url);
    await writer.write(before);
    // The rows of one collection are cut off while the other, with a large value, is still being looked at.
    proxy.writesLeft = 3;
    await expect(writer.write(after)).rejects.toThrow(ViewsUnavailable);
    const rows = raw.db().collection<{ _id: string; v: string }>(await nameOf('b'));
    await rows.deleteMany({});
    proxy.comeBack();
    await delay(4000);
    expect(await rows.find().toArray()).toEqual([]);
  }, 20_000);

  it('brings back nothing of a collection that was dropped', async () => {
    const writer = await take(proxy.url);
    await writer.write(before);
    await writer.drop('b');
    proxy.goAway();
    expect(Object.keys(await rowsOf(await take(url.href)))).toEqual(['a 1', 'c checkpoint']);
  });

  it('lets nobody write whose place another process has taken, and a second process read', async () => {
    const writer = await take(url.href);
    await writer.write(before);
    const reader = await open(url.href, { readOnly: true });
    expect((await rowsOf(reader))['a 1']).toBe('one');
    await expect(reader.write(after)).rejects.toThrow('Another process writes');
    await writer.write(after);
    const next = await take(url.href);
    await expect(writer.write(before)).rejects.toThrow('another process writes');
    expect(writer.failure?.message).toContain('another process writes');
    expect((await rowsOf(next))['c checkpoint']).toBe('2');
  });

  it('takes nothing more from a process that was not heard of for too long, not even what it had sent', async () => {
    const first = await take(proxy.url);
    const second = await open(url.href);
    await first.write([put('a', '1', 'one'), put('a', '2', 'one'), put('a', '3', 'one')]);
    // Its last group is noted, and what it sends of the rows themselves arrives when somebody else writes.
    proxy.holdAfter(1);
    const late = first.write([put('a', '4', 'late'), put('a', '1', 'late')]).catch(() => {});
    const started = performance.now();
    await withLease(second);
    expect(performance.now() - started).toBeLessThan(15_000);
    expect(await second.get('a', ['1'])).toBe('late');
    await second.write([put('a', '1', 'two'), remove('a', '2'), remove('a', '4')]);
    proxy.comeBack();
    await late;
    const written = (): Promise<unknown> =>
      first.write([put('a', '3', 'later'), put('a', '5', 'later')]).catch((error: unknown) => error);
    await expect.poll(written).toBeInstanceOf(ViewsTaken);
    expect(first.isWriter).toBe(false);
    expect(await rowsOf(second)).toEqual({ 'a 1': 'two', 'a 3': 'one' });
  }, 60_000);

  it('waits for no lease of a process in whose place it was started, once', async () => {
    const [first, other] = [await open(proxy.url, { holder: 'a' }), await open(url.href, { holder: 'b' })];
    await first.takeLease();
    await first.write(before);
    proxy.goAway();
    expect(await other.takeLease()).toBe(false);
    const next = await open(url.href, { holder: 'a' });
    expect(await next.takeLease()).toBe(true);
    await next.write(after);
    proxy.comeBack();
    await until(() => first.failure instanceof ViewsTaken, BACK_MS);
    expect(await first.takeLease()).toBe(false);
    expect((await rowsOf(next))['c checkpoint']).toBe('2');
  }, 40_000);

  it('notices that it was thrown away, or has lost what it had acknowledged', async () => {
    const writer = await take(url.href);
    await writer.write(before);
    const database = raw.db();
    const kept = await database.collection('annals.journal').find().toArray();
    await writer.write(after);
    await writer.write(after);
    await database.collection('annals.journal').deleteMany({});
    await database.collection('annals.journal').insertMany(kept);
    await expect(writer.write(after)).rejects.toThrow(ViewsGone);
    expect(writer.failure?.message).toContain('has lost what was written to it');
    const next = await take(url.href);
    await database.dropDatabase();
    await expect(next.write(after)).rejects.toThrow('were thrown away');
    await next.flush();
  });

  it('confirms what was read as long as the database is what was written to it, to who writes and who does not', async () => {
    const gone: Error[] = [];
    const writer = await take(url.href, { onGone: (error) => gone.push(error) });
    const reader = await open(url.href);
    await writer.write(before);
    for (const store of [writer, reader]) await store.confirm();
    await raw.db().dropDatabase();
    for (const store of [writer, reader]) {
      await expect(store.confirm()).rejects.toThrow(ViewsUnavailable);
      await expect(store.confirm()).rejects.toThrow('thrown away');
    }
    expect(gone).toHaveLength(1);
    await expect(writer.get('a', ['1'])).rejects.toThrow(ViewsUnavailable);
  });

  it('holds nothing against the next process that the one before still sent when it was thrown away', async () => {
    const thrownAway: string[] = [];
    const onThrownAway = (message: string): void => void thrownAway.push(message);
    for (let i = 0; i < 2; i++) await (await take(url.href)).write([put('a', '1', 'one')]);
    const late = await take(proxy.url);
    await late.write([put('a', '1', 'one'), put('b', '1', 'one'), put('c', 'checkpoint', '1')]);
    // Which collections there are, and the rows of a group that is noted already.
    proxy.holdAfter(1);
    const noted = (): Promise<unknown> =>
      raw.db().collection<{ _id: string; v: string }>('annals.journal').findOne({ _id: 'journal', v: /late/ });
    const group = [put('a', '1', 'late'), put('a', '2', 'late'), put('b', '2', 'late'), put('c', 'checkpoint', 'late')];
    const writing = late.write(group).catch(() => {});
    await expect.poll(noted).not.toBeNull();
    await late.confirm();
    await raw.db().dropDatabase();
    const next = await take(url.href, { onThrownAway });
    const reader = await open(url.href);
    await reader.confirm();
    await next.write([put('b', '1', 'next')]);
    proxy.comeBack();
    await writing;
    // Nor does it show what the next process only deletes, or never writes, and what that goes by.
    await next.write([put('a', '1', 'next'), remove('a', '2')]);
    for (const store of [next, reader]) {
      await store.confirm();
      expect(await rowsOf(store)).toEqual({ 'a 1': 'next', 'b 1': 'next' });
    }
    const third = await take(url.href, { onThrownAway });
    expect(await rowsOf(third)).toEqual({ 'a 1': 'next', 'b 1': 'next' });
    await third.confirm();
    expect(thrownAway).toEqual([]);
    // What arrived late goes.
    const names = async (): Promise<string[]> =>
      (await raw.db().listCollections().toArray()).map(({ name }) => name).sort();
    const own = await Promise.all(['a', 'b'].map(nameOf));
    await expect.poll(names).toEqual(['annals.journal', ...own]);
  });

  it('drops what comes late of views that are no more, while it has the lease, and nothing that is not of views', async () => {
    const names = async (): Promise<string[]> =>
      (await raw.db().listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name);
    const store = await take(url.href);
    await store.write([put('a', 'k', 'one')]);
    const own = await nameOf('a');
    const [late, foreign] = [nameIn('0123456789ab', 'a'), 'somebody elses'];
    for (const name of [late, `${late}.parts`, foreign]) await raw.db().createCollection(name);
    await expect.poll(names).not.toContain(late);
    await expect.poll(names).not.toContain(`${late}.parts`);
    expect(await names()).toEqual(expect.arrayContaining([own, foreign]));
    expect(await rowsOf(store)).toEqual({ 'a k': 'one' });
  });

  it('takes nothing for its own that another version wrote, in collections which bear no life, and drops that', async () => {
    const journal = raw.db().collection<{ _id: string; [field: string]: unknown }>('annals.journal');
    const life = randomUUID();
    const left = JSON.stringify([['a', [['k', { v: 'late' }]]]]);
    await journal.insertOne({ _id: 'journal', v: left, life, owner: null, groups: 7 });
    await journal.insertOne({ _id: `collections ${life}`, v: '[["a",""]]', n: 7 });
    for (const name of ['a', 'another']) await raw.db().collection(name).insertOne({ v: 'one' });
    const thrownAway: string[] = [];
    const store = await take(url.href, { onThrownAway: (message) => thrownAway.push(message) });
    expect(thrownAway).toEqual(['another version wrote the views: all are rebuilt from the log']);
    expect(await rowsOf(store)).toEqual({});
    await store.write(before);
    await store.confirm();
    expect(await store.collections()).toEqual(['a', 'b', 'c']);
    const names = (await raw.db().listCollections().toArray()).map(({ name }) => name);
    expect([names.includes('a'), names.includes('another')]).toEqual([false, true]);
  });

  it('answers a read that the database refuses for a moment, and says once that it goes on refusing, and once that it does not', async () => {
    const said: string[] = [];
    const watch = { onLost: (reason: string) => said.push(`lost: ${reason}`), onBack: () => said.push('back') };
    const store = await take(proxy.url, watch);
    await store.write(before);
    const reads = [
      () => store.get('a', ['1']),
      () => store.getMany('a', [['1']]),
      () => store.scan('a', { limit: 1 }),
      () => store.collections(),
      () => store.confirm(),
    ];
    for (const read of reads) {
      proxy.refusesReads = 2;
      await read();
    }
    expect(said).toEqual([]);
    proxy.refusesReads = Infinity;
    for (const read of reads) await expect(read()).rejects.toThrow(ViewsUnavailable);
    expect(store.failure?.message).toBe('The views cannot be reached or written: database is locked');
    proxy.comeBack();
    await until(() => store.failure === undefined, 10_000);
    expect(await store.get('a', ['1'])).toBe('one');
    expect(said).toEqual(['lost: database is locked', 'back']);
  }, 20_000);

  it('confirms what was read while the database takes nothing that is written', async () => {
    const writer = await take(proxy.url);
    await writer.write(before);
    await writer.confirm();
    proxy.holdAfter(0);
    await writer.confirm();
    proxy.comeBack();
  });

  it.each([
    ['dropped', 0],
    ['dropped, and made anew by what is written', 1],
  ])(
    'notices that a single collection was %s, is thrown away by the next process, and leaves what is not its own',
    async (_, writes) => {
      const gone: Error[] = [];
      const thrownAway: string[] = [];
      await raw.db().collection<{ _id: string }>('another').insertOne({ _id: '1' });
      const writer = await take(url.href, { onGone: (error) => gone.push(error) });
      const reader = await open(url.href);
      await writer.write(before);
      for (const store of [writer, reader]) await store.confirm();
      await raw.db().dropCollection(await nameOf('a'));
      for (let i = 0; i < writes; i++) await writer.write(after);
      for (const store of [writer, reader]) await expect(store.confirm()).rejects.toThrow('collection a of the views');
      expect(gone.map(({ message }) => message)).toEqual([expect.stringContaining('was dropped')]);
      const next = await take(url.href, { onThrownAway: (message) => thrownAway.push(message) });
      expect(await rowsOf(next)).toEqual({});
      expect(thrownAway).toEqual([expect.stringContaining('collection a of the views')]);
      await next.write(before);
      await next.confirm();
      await next.close();
      const third = await take(url.href, { onThrownAway: (message) => thrownAway.push(message) });
      expect(Object.keys(await rowsOf(third))).toEqual(['a 1', 'b 1', 'c checkpoint']);
      await third.drop('b');
      await third.confirm();
      await third.close();
      await take(url.href, { onThrownAway: (message) => thrownAway.push(message) });
      expect(thrownAway).toHaveLength(1);
      expect(await raw.db().collection('another').countDocuments()).toBe(1);
    },
  );

  it.each([
    ['it was thrown away', () => raw.db().dropDatabase(), 'were thrown away'],
    ['another process took it over', () => take(url.href), 'another process writes'],
  ])('says once, while nothing is written, that %s, and answers nothing from then on', async (_, happen, words) => {
    const gone: Error[] = [];
    const idle = await take(url.href, { onGone: (error) => gone.push(error) });
    await idle.write(before);
    await happen();
    await until(() => gone.length > 0, 10_000);
    await expect(idle.get('a', ['1'])).rejects.toThrow(ViewsUnavailable);
    await expect(idle.write(after)).rejects.toThrow(words);
    expect(gone.map(({ message }) => message)).toEqual([expect.stringContaining(words)]);
  });

  it.each(['goAway', 'fallSilent'] as const)(
    'says once, within ten seconds, that the database is lost, once that it is back, and goes on: %s',
    async (fault) => {
      const said: string[] = [];
      const watch = { onLost: (reason: string) => said.push(`lost: ${reason}`), onBack: () => said.push('back') };
      const store = await take(proxy.url, watch);
      await store.write(before);
      proxy[fault]();
      const writing = store.write(after).catch((error: unknown) => error);
      const started = performance.now();
      await expect(store.get('a', ['1'])).rejects.toThrow(ViewsUnavailable);
      await until(() => store.failure !== undefined, 10_000);
      expect(performance.now() - started).toBeLessThan(10_000);
      expect(await writing).toBeInstanceOf(ViewsUnavailable);
      expect(store.failure?.message).toMatch(/^The views cannot be reached or written: ./);
      proxy.comeBack();
      await until(() => store.failure === undefined, BACK_MS);
      await store.write(after);
      expect((await rowsOf(store))['a 1']).toBe('two');
      expect(said).toEqual([expect.stringMatching(/^lost: ./), 'back']);
    },
    60_000,
  );
});
