import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { LogDamaged } from '#event-store/event-store-errors';
import { type Position, START } from '#kernel/position';
import { ViewsGone, ViewsUnavailable } from '#read-models/read-model-errors';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { SpokenLog } from '#testing/spoken-log';
import { positionNumber } from '#testing/position-of';
import { countsProjector, forgettingProjector, said, wordsProjector } from './example-projectors.js';
import { ProjectionRuntime } from './projection-runtime.js';
import type { Projector } from './projector.js';
import type { RuntimeParts } from './runtime-parts.js';

const all = { limit: 10_000 };

const words = async (runtime: ProjectionRuntime): Promise<string[]> =>
  (await runtime.scan('words', all)).map((row) => row.value);

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  await expect.poll(condition, { interval: 1 }).toBe(true);
};

const stateOf = async (runtime: ProjectionRuntime, name = 'words') => (await runtime.operations.status(name)).state;
const untilState = (runtime: ProjectionRuntime, state: string): Promise<void> =>
  until(async () => (await stateOf(runtime)) === state);

const broken = (): void => {
  throw new Error('broken');
};

describe('ProjectionRuntime', () => {
  let store: SpokenLog;
  let readModels: MemoryReadModels;
  let runtimes: ProjectionRuntime[];

  beforeEach(() => {
    store = new SpokenLog();
    readModels = new MemoryReadModels();
    runtimes = [];
  });

  afterEach(async () => {
    for (const each of runtimes) await each.stop();
  });

  const say = (...spoken: string[]): Promise<Position> => store.say(...spoken);

  const make = (projectors: readonly Projector[], parts: Partial<RuntimeParts> = {}): ProjectionRuntime => {
    const runtime = new ProjectionRuntime({
      store,
      readModels,
      projectors,
      listeners: [],
      clock: { now: () => 7 },
      ...parts,
    });
    runtimes.push(runtime);
    return runtime;
  };

  const begin = async (projectors: readonly Projector[], parts?: Partial<RuntimeParts>): Promise<ProjectionRuntime> => {
    const runtime = make(projectors, parts);
    await runtime.start();
    return runtime;
  };

  describe('following the log', () => {
    it('has projected everything that was in the log when start settles', async () => {
      await say('a', 'b', 'c');
      const runtime = await begin([wordsProjector(), countsProjector()]);
      expect(await words(runtime)).toEqual(['a', 'b', 'c']);
      expect(runtime.position()).toBe(await store.head());
      expect(await stateOf(runtime)).toBe('live');
    });

    it('answers what a fact caused once whenProcessed settles', async () => {
      const runtime = await begin([wordsProjector()]);
      for (const word of ['a', 'b', 'c']) {
        const position = await say(word);
        await runtime.whenProcessed(position);
        expect(await runtime.get('last-word', ['s'])).toBe(word);
      }
    });

    it('settles whenProcessed in order of position, whoever asked first', async () => {
      const runtime = await begin([wordsProjector()]);
      const order: string[] = [];
      await Promise.all([
        runtime.whenProcessed('0000000000000000002' as typeof START).then(() => order.push('second')),
        runtime.whenProcessed('0000000000000000001' as typeof START).then(() => order.push('first')),
        say('a').then(() => say('b')),
      ]);
      expect(order).toEqual(['first', 'second']);
    });

    it('lets a projector read what it wrote for earlier facts of the same batch', async () => {
      await say('x', 'yy', 'x', 'zzz', 'x', 'yy', 'w');
      const runtime = await begin([countsProjector()]);
      expect(await runtime.scan('counts', { ...all, prefix: ['word'] })).toMatchObject([
        { key: ['word', 'w'], value: '1@0000000000000000007' },
        { key: ['word', 'x'], value: '3@0000000000000000005' },
        { key: ['word', 'yy'], value: '2@0000000000000000006' },
        { key: ['word', 'zzz'], value: '1@0000000000000000004' },
      ]);
      expect(await runtime.scan('counts', { ...all, prefix: ['longest'] })).toMatchObject([{ value: 'zzz' }]);
    });

    it('goes on where it ended, without projecting anything twice', async () => {
      await say('a', 'b');
      await (await begin([wordsProjector()])).stop();
      await say('c');
      const seen: string[] = [];
      const projector = wordsProjector();
      const runtime = await begin([
        { ...projector, project: (fact, rows) => (seen.push(fact.position), projector.project(fact, rows)) },
      ]);
      expect(seen).toEqual(['0000000000000000003']);
      expect(await words(runtime)).toEqual(['a', 'b', 'c']);
    });

    it('fills a projector that is new while the others go on from where they are', async () => {
      await say('a', 'b');
      await (await begin([wordsProjector()])).stop();
      await say('a');
      const runtime = await begin([wordsProjector(), countsProjector()]);
      expect(await runtime.get('counts', ['word', 'a'])).toBe('2@0000000000000000003');
      const position = await say('a');
      await runtime.whenProcessed(position);
      expect(await runtime.get('counts', ['word', 'a'])).toBe('3@0000000000000000004');
      expect(await runtime.operations.list()).toMatchObject([{ state: 'live' }, { state: 'live' }]);
    });

    it('does not lose facts for a projector that was away for a while', async () => {
      await say('a');
      await (await begin([wordsProjector(), countsProjector()])).stop();
      await say('a');
      await (await begin([wordsProjector()])).stop();
      const runtime = await begin([wordsProjector(), countsProjector()]);
      expect(await runtime.get('counts', ['word', 'a'])).toBe('2@0000000000000000002');
    });

    it('rebuilds identical views where they were deleted', async () => {
      await say('a', 'b', 'c', 'a');
      const before = await begin([wordsProjector(), countsProjector()]);
      const checksums = [await before.operations.checksum('words'), await before.operations.checksum('counts')];
      await before.stop();
      readModels = new MemoryReadModels();
      const after = await begin([wordsProjector(), countsProjector()]);
      expect([await after.operations.checksum('words'), await after.operations.checksum('counts')]).toEqual(checksums);
      expect(checksums[0]!['words']!.rows).toBe(4);
    });

    it('throws views away that are ahead of the log', async () => {
      await say('a', 'b');
      await (await begin([wordsProjector()])).stop();
      store = new SpokenLog();
      await say('other');
      const runtime = await begin([wordsProjector()]);
      expect(await words(runtime)).toEqual(['other']);
    });

    it('tries again when the read models refuse for a moment', async () => {
      const runtime = await begin([wordsProjector()]);
      readModels.failure = new Error('disk full');
      const position = await say('a');
      await until(async () => (await runtime.operations.status('words')).lastError === 'disk full');
      readModels.failure = undefined;
      await runtime.whenProcessed(position);
      expect(await words(runtime)).toEqual(['a']);
    });

    it('keeps nobody waiting for read models that refuse, and has all of it once they do not', async () => {
      const runtime = await begin([wordsProjector()]);
      readModels.failure = new Error('disk full');
      for (const word of ['a', 'b']) await runtime.whenProcessed(await say(word));
      expect(await words(runtime)).toEqual([]);
      readModels.failure = undefined;
      await until(async () => (await words(runtime)).length === 2);
    });

    it('keeps nobody waiting for read models that neither take nor refuse, once they say so', async () => {
      const runtime = await begin([wordsProjector()]);
      const write = readModels.write.bind(readModels);
      let takeAll = (): void => {};
      const taken = new Promise<void>((resolve) => (takeAll = resolve));
      readModels.write = (writes) => taken.then(() => write(writes));
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
      try {
        const waiting = say('a').then((position) => runtime.whenProcessed(position));
        await until(async () => (await store.head()) !== START);
        readModels.failure = new Error('no answer');
        vi.advanceTimersByTime(1500);
        await waiting;
      } finally {
        vi.useRealTimers();
      }
      expect(await words(runtime)).toEqual([]);
      readModels.failure = undefined;
      takeAll();
      await until(async () => (await words(runtime)).length === 1);
    });

    it('says once that the read models refuse, and once that they no longer do', async () => {
      const lines: string[] = [];
      const log = {
        info: (line: string) => void lines.push(line),
        warn() {},
        error: (line: string) => void lines.push(line),
      };
      const runtime = await begin([wordsProjector()], { log });
      readModels.failure = new Error('disk full');
      await say('a');
      const before = readModels.writeCalls;
      await until(async () => readModels.writeCalls >= before + 2);
      readModels.failure = undefined;
      await until(async () => (await words(runtime)).length === 1);
      expect(lines).toEqual([expect.stringContaining('disk full'), 'Who writes the views goes on']);
    });

    it('goes on, as it says, where the log can be followed again, also where nothing comes', async () => {
      const { subscribe } = store;
      const refused = new Error('not for you');
      store.subscribe = () => {
        throw refused;
      };
      const lines: string[] = [];
      const tell = (line: string): void => void lines.push(line);
      const runtime = await begin([wordsProjector()], { log: { info: tell, warn: tell, error: tell } });
      await until(async () => runtime.failures().length > 0);
      expect(runtime.failures()).toEqual(['Who writes the views waits: not for you']);
      store.subscribe = subscribe.bind(store);
      await expect.poll(() => runtime.failures()).toEqual([]);
      expect(lines).toEqual([expect.stringContaining('not for you'), 'Who writes the views goes on']);
    });

    it('leaves to others to say that the views are away, or lost', async () => {
      const lines: string[] = [];
      const log = { info() {}, warn() {}, error: (line: string) => void lines.push(line) };
      const runtime = await begin([wordsProjector()], { log });
      readModels.failure = new ViewsUnavailable('away');
      await say('a');
      await until(async () => (await runtime.operations.status('words')).lastError === 'away');
      readModels.failure = new ViewsGone('thrown away');
      await until(async () => (await runtime.operations.status('words')).lastError === 'thrown away');
      expect(lines).toEqual([]);
      readModels.failure = undefined;
    });

    it('keeps nobody waiting for long where the log says nothing, and says so once', async () => {
      const lines: string[] = [];
      const log = { info() {}, error() {}, warn: (line: string) => void lines.push(line) };
      const hush = { isSilent: false };
      const subscribe = store.subscribe.bind(store);
      Object.assign(store, {
        async *subscribe(options: Parameters<MemoryEventStore['subscribe']>[0]) {
          for await (const batch of subscribe(options)) {
            while (hush.isSilent && !options.signal.aborted) await delay(5);
            yield batch;
          }
        },
      });
      const runtime = await begin([wordsProjector()], { log });
      hush.isSilent = true;
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
      try {
        const waiting = Promise.all([runtime.whenProcessed(await say('a')), runtime.whenProcessed(await say('b'))]);
        vi.advanceTimersByTime(9000);
        await waiting;
      } finally {
        vi.useRealTimers();
      }
      expect(await words(runtime)).toEqual([]);
      expect(lines).toEqual([expect.stringContaining('no longer wait')]);
      hush.isSilent = false;
      await until(async () => (await words(runtime)).length === 2);
    });

    it('reads the log once for all that are filled anew at a start', async () => {
      await say(...Array.from({ length: 50 }, (_, i) => `word ${i}`));
      const versions = (version: number) => [wordsProjector({ version }), { ...countsProjector(), version }];
      await (await begin(versions(1))).stop();
      let readings = 0;
      const readAll = store.readAll.bind(store);
      Object.assign(store, {
        readAll: (options: Parameters<MemoryEventStore['readAll']>[0]) => {
          readings++;
          return readAll(options);
        },
      });
      const runtime = await begin(versions(2));
      await untilState(runtime, 'live');
      await until(async () => (await stateOf(runtime, 'counts')) === 'live');
      expect(await words(runtime)).toHaveLength(50);
      expect(readings).toBe(1);
    });

    it('knows after a restart how many facts there were, where positions do not count them', async () => {
      Object.assign(store, {
        distance: (after: Position, upTo: Position) => ({
          amount: 100 * (positionNumber(upTo) - positionNumber(after)),
          unit: 'bytes',
        }),
      });
      const first = await begin([wordsProjector()]);
      await first.whenProcessed(await say('a', 'b', 'c'));
      await first.stop();
      const second = await begin([wordsProjector()]);
      await second.whenProcessed(await say('d'));
      expect((await second.operations.status('words')).facts).toEqual({ done: 4, of: 4 });
    });

    it('does not begin where the log is damaged', async () => {
      await say('a');
      const runtime = make([wordsProjector()]);
      store.subscribe = () => {
        throw new LogDamaged('position 1 cannot be read');
      };
      await expect(runtime.start()).rejects.toThrow('position 1 cannot be read');
    });

    it('rejects whoever still waits when it stops', async () => {
      const runtime = await begin([wordsProjector()]);
      const waiting = runtime.whenProcessed('0000000000000000009' as typeof START);
      const rejected = expect(waiting).rejects.toThrow('stopped');
      await runtime.stop();
      await rejected;
    });

    it('refuses two owners of one collection, and collections that are not a projector’s own', async () => {
      expect(() => make([wordsProjector(), { ...countsProjector(), collections: ['words'] }])).toThrow('owned by');
      expect(() => make([wordsProjector(), wordsProjector()])).toThrow('Two projectors');
      const thief: Projector = { ...countsProjector(), project: (_fact, rows) => rows.put('words', ['x'], 'stolen') };
      await say('a');
      const runtime = await begin([wordsProjector(), thief]);
      expect(await runtime.operations.deadLetters('counts')).toMatchObject([
        { error: expect.stringContaining('does not own') },
      ]);
      await expect(runtime.get('nobody', ['x'])).rejects.toThrow('No projector owns');
    });
  });

  describe('listeners', () => {
    it('see what was appended after start, in order, once it is projected, and nothing older', async () => {
      await say('old');
      const seen: string[] = [];
      const hear = (facts: readonly RecordedFact[]): void => {
        for (const fact of facts) seen.push(`${fact.position} ${runtime.position() >= fact.position}`);
      };
      const runtime: ProjectionRuntime = make([wordsProjector()], {
        listeners: [{ name: 'r', reads: ['words'], hear }],
      });
      await runtime.start();
      await say('new');
      await runtime.whenProcessed(await say('newer', 'newest'));
      await until(async () => seen.length === 3);
      expect(seen).toEqual(['0000000000000000002 true', '0000000000000000003 true', '0000000000000000004 true']);
    });

    it('see also what the views come by at the start, where they say so, and nothing twice', async () => {
      await say('before');
      const seen: string[] = [];
      const listeners = ([undefined, true] as const).map((hearsPast) => ({
        name: 'r',
        reads: [],
        hearsPast,
        hear: (facts: readonly RecordedFact[]) => seen.push(...facts.map(({ data }) => `${hearsPast} ${data}`)),
      }));
      const parts = { listeners: listeners as RuntimeParts['listeners'] };
      await (await begin([wordsProjector()])).stop();
      await say('old');
      const runtime = await begin([wordsProjector()], parts);
      await runtime.whenProcessed(await say('new'));
      await until(async () => seen.length === 3);
      expect(seen.toSorted()).toEqual(['true {"word":"new"}', 'true {"word":"old"}', 'undefined {"word":"new"}']);
    });

    it('are told before that from where on they hear, also where some views are paused before it', async () => {
      const first = await begin([wordsProjector()]);
      await first.operations.pause('words', 'x');
      const head = await say('old');
      await first.stop();
      const begun: Position[] = [];
      const hear = (): void => {};
      await begin([wordsProjector()], {
        listeners: [{ name: 'r', reads: ['words'], begin: (after) => void begun.push(after), hear }],
      });
      expect(begun).toEqual([head]);
    });

    it('do not stop the projections by throwing', async () => {
      const runtime = await begin([wordsProjector()], { listeners: [{ name: 'r', reads: [], hear: broken }] });
      await runtime.whenProcessed(await say('a'));
      await runtime.whenProcessed(await say('b'));
      expect(await words(runtime)).toEqual(['a', 'b']);
    });
  });

  describe('a fact that a projector cannot take', () => {
    const refuses = new Set(['poison']);

    it('becomes a dead letter in live operation, without a trace in the rows, and the rest goes on', async () => {
      const runtime = await begin([wordsProjector({ refuses }), countsProjector()]);
      await runtime.whenProcessed(await say('a', 'poison', 'b'));
      expect(await words(runtime)).toEqual(['a', 'b']);
      expect(await runtime.get('counts', ['word', 'poison'])).toBeDefined();
      expect(await runtime.operations.deadLetters()).toEqual([
        {
          projection: 'words', version: 1, generation: 1, stream: 's', revision: 1, position: '0000000000000000002',
          type: 'said', error: expect.stringContaining('cannot take poison'), at: 7,
        }, // prettier-ignore
      ]);
      expect(await runtime.operations.status('words')).toMatchObject({ state: 'live', deadLetters: 1 });
    });

    it('also where the projector answers promises', async () => {
      const slow: Projector = {
        ...wordsProjector({ refuses }),
        project: async (fact, rows) => {
          await delay(0);
          return wordsProjector({ refuses }).project(fact, rows);
        },
      };
      const runtime = await begin([slow]);
      await runtime.whenProcessed(await say('a', 'poison', 'b'));
      expect(await words(runtime)).toEqual(['a', 'b']);
      expect(await runtime.operations.deadLetters()).toHaveLength(1);
    });

    it('is none where the read models could not be read: it is tried again', async () => {
      const runtime = await begin([countsProjector()]);
      const get = readModels.get.bind(readModels);
      let failed = 0;
      readModels.get = (collection, key) => {
        if (!collection.startsWith('counts') || failed++ > 0) return get(collection, key);
        return Promise.reject(new ViewsUnavailable('away'));
      };
      const position = await say('a');
      await until(async () => runtime.position() === position);
      expect(failed).toBeGreaterThan(0);
      expect(await runtime.operations.deadLetters()).toEqual([]);
      expect(await runtime.get('counts', ['word', 'a'])).toBeDefined();
    });

    it('is none either where rows at hand could not be read, whoever else reads meanwhile', async () => {
      const lookingProjector: Projector = {
        name: 'looks',
        version: 1,
        collections: ['looks'],
        handles: () => true,
        project: (fact, rows) => void rows.get('looks', [fact.id]),
      };
      const runtime = await begin([countsProjector(), lookingProjector]);
      let failed = 0;
      const atHand = (): never => {
        // Both have asked.
        if (++failed === 2) Object.assign(readModels, { atHand: undefined });
        throw new ViewsUnavailable('away');
      };
      Object.assign(readModels, { atHand: { get: atHand, scan: atHand } });
      const position = await say('a');
      await until(async () => runtime.position() === position);
      expect(failed).toBe(2);
      expect(await runtime.operations.deadLetters()).toEqual([]);
      expect(await runtime.get('counts', ['word', 'a'])).toBeDefined();
    });

    it('stops a rebuild and says where, while the old generation goes on serving', async () => {
      const bad = new Set<string>();
      const runtime = await begin([wordsProjector({ refuses: bad })]);
      await runtime.whenProcessed(await say('a', 'poison', 'b'));
      bad.add('poison');
      await runtime.operations.rebuild('words');
      await untilState(runtime, 'failed');
      const status = await runtime.operations.status('words');
      expect(status.lastError).toContain('said at position 0000000000000000002 (s, revision 1): cannot take poison');
      expect(status).toMatchObject({ serving: { generation: 1 }, next: { generation: 2, state: 'failed' } });
      await runtime.whenProcessed(await say('c'));
      expect(await words(runtime)).toEqual(['a', 'poison', 'b', 'c']);
      bad.clear();
      await runtime.operations.resume('words');
      await untilState(runtime, 'live');
      expect(await runtime.operations.status('words')).toMatchObject({
        serving: { generation: 2 },
        lastError: undefined,
      });
      expect(await words(runtime)).toEqual(['a', 'poison', 'b', 'c']);
    });

    it('is tried again by a rebuild', async () => {
      const bad = new Set(['poison']);
      const runtime = await begin([wordsProjector({ refuses: bad })]);
      await runtime.whenProcessed(await say('a', 'poison'));
      bad.clear();
      await runtime.operations.rebuild('words');
      await until(async () => (await runtime.operations.status('words')).serving.generation === 2);
      expect(await words(runtime)).toEqual(['a', 'poison']);
      expect(await runtime.operations.deadLetters()).toEqual([]);
    });
  });

  describe('rebuilding', () => {
    it('fills beside what serves, switches at once, and finds no difference', async () => {
      const runtime = await begin([wordsProjector(), countsProjector()]);
      await runtime.whenProcessed(await say('a', 'b', 'a'));
      const before = await runtime.operations.checksum('words');
      await runtime.operations.rebuild('words');
      await until(async () => (await runtime.operations.status('words')).comparison !== undefined);
      const status = await runtime.operations.status('words');
      expect(status).toMatchObject({
        state: 'live',
        serving: { generation: 2 },
        previous: { generation: 1 },
        next: undefined,
      });
      expect(status.comparison).toEqual({ generation: 2, replaced: 1, rows: 4, differences: 0, examples: [] });
      expect(await runtime.operations.checksum('words')).toEqual(before);
      await runtime.whenProcessed(await say('c'));
      expect(await words(runtime)).toEqual(['a', 'b', 'a', 'c']);
    });

    it('reports rows that come out differently', async () => {
      let suffix = '';
      const fickle: Projector = {
        ...wordsProjector(),
        project: (fact, rows) => rows.put('words', [fact.position], `${fact.position}${suffix}`),
      };
      const runtime = await begin([fickle]);
      await runtime.whenProcessed(await say('a', 'b'));
      suffix = '!';
      await runtime.operations.rebuild('words');
      await until(async () => (await runtime.operations.status('words')).comparison !== undefined);
      expect((await runtime.operations.status('words')).comparison).toMatchObject({
        rows: 2,
        differences: 2,
        examples: [
          ['words', '0000000000000000001'],
          ['words', '0000000000000000002'],
        ],
      });
    });

    it('takes it for no fault where rows differ that tell of what is gone since, and only then', async () => {
      let suffix = '';
      const plain = wordsProjector();
      const remembering: Projector = {
        ...plain,
        showsGone: ({ metadata }) => metadata.erased !== undefined,
        project: (fact, rows) => {
          if (suffix !== '') rows.put('words', ['more'], suffix);
          return plain.project(fact, rows);
        },
      };
      const runtime = await begin([remembering]);
      const compared = async (generation: number) => {
        await runtime.operations.rebuild('words');
        await until(async () => (await runtime.operations.status('words')).comparison?.generation === generation);
        return (await runtime.operations.status('words')).comparison;
      };
      const secret = said('secret');
      const erasable = secret.data.indexOf('"secret"');
      await store.append('spoken', 'no-stream', [{ ...secret, metadata: { ...secret.metadata, erasable } }]);
      await runtime.whenProcessed(await store.head());
      suffix = '!';
      expect(await compared(2)).toMatchObject({ rows: 3, differences: 1 });
      await store.erase('spoken', 0, '"gone"}');
      expect(await compared(3)).toEqual({
        generation: 3,
        replaced: 2,
        rows: 3,
        differences: 0,
        forgotten: 2,
        examples: [],
      });
    });

    it('takes it for no fault where rows differ of what the log let go, behind a fact that shows it, and only there', async () => {
      for (const shows of ['end', 'another word']) {
        store = new SpokenLog();
        readModels = new MemoryReadModels();
        const showsGone: Projector['showsGone'] = ({ data }) => data.includes(`"${shows}"`);
        const runtime = await begin([{ ...wordsProjector(), showsGone }]);
        await store.append(
          'spoken',
          'no-stream',
          ['a', 'b', 'end'].map((word) => said(word)),
        );
        await runtime.whenProcessed(await store.head());
        await store.truncate('spoken', 2);
        await runtime.operations.rebuild('words');
        await until(async () => (await runtime.operations.status('words')).comparison !== undefined);
        const { differences, forgotten = 0 } = (await runtime.operations.status('words')).comparison!;
        expect([shows, differences, forgotten]).toEqual(shows === 'end' ? [shows, 0, 2] : [shows, 2, 0]);
        await runtime.stop();
      }
    });

    it('comes to the same rows while facts are appended all the time', async () => {
      const runtime = await begin([wordsProjector(), countsProjector()]);
      const enough = new AbortController();
      const talking = (async () => {
        for (let i = 0; !enough.signal.aborted; i++) {
          await say(`w${i % 50}`);
          if (i % 20 === 0) await delay(0);
        }
      })();
      await delay(20);
      for (const generation of [2, 3]) {
        await Promise.all([runtime.operations.rebuild('words'), runtime.operations.rebuild('counts')]);
        for (const name of ['words', 'counts']) {
          await until(async () => {
            const { serving, comparison } = await runtime.operations.status(name);
            return serving.generation === generation && comparison?.generation === generation;
          });
          expect((await runtime.operations.status(name)).comparison).toMatchObject({ differences: 0 });
        }
      }
      enough.abort();
      await talking;
      await runtime.whenProcessed(await store.head());
      const rebuilt = [await runtime.operations.checksum('words'), await runtime.operations.checksum('counts')];
      readModels = new MemoryReadModels();
      const fresh = await begin([wordsProjector(), countsProjector()]);
      expect([await fresh.operations.checksum('words'), await fresh.operations.checksum('counts')]).toEqual(rebuilt);
    });

    it('waits for switch where that was asked for, and follows the log meanwhile', async () => {
      const runtime = await begin([wordsProjector()]);
      await runtime.whenProcessed(await say('a'));
      await runtime.operations.rebuild('words', { switchByHand: true });
      await until(async () => (await runtime.operations.status('words')).next?.state === 'ready');
      const position = await say('b');
      await runtime.whenProcessed(position);
      expect((await runtime.operations.status('words')).next).toMatchObject({
        position,
        generation: 2,
        switchByHand: true,
      });
      expect((await runtime.operations.status('words')).serving.generation).toBe(1);
      await runtime.operations.switch('words');
      expect((await runtime.operations.status('words')).serving.generation).toBe(2);
      expect(await words(runtime)).toEqual(['a', 'b']);
    });

    it('rolls back to the former generation, which catches up first', async () => {
      const runtime = await begin([wordsProjector()]);
      await runtime.whenProcessed(await say('a'));
      await runtime.operations.rebuild('words');
      await until(async () => (await runtime.operations.status('words')).serving.generation === 2);
      await runtime.whenProcessed(await say('b'));
      await runtime.operations.rollback('words');
      await until(async () => (await runtime.operations.status('words')).serving.generation === 1);
      expect(await words(runtime)).toEqual(['a', 'b']);
      expect((await runtime.operations.status('words')).previous).toMatchObject({ generation: 2 });
    });

    it('fills the former generation anew where the log has forgotten what it has, and says so', async () => {
      const runtime = await begin([forgettingProjector()]);
      const spoken = ['secret', 'other'].map((word) => said(word));
      await runtime.whenProcessed((await store.append('spoken', 'no-stream', spoken)).position);
      await runtime.operations.rebuild('words');
      await until(async () => (await runtime.operations.status('words')).serving.generation === 2);
      const unsaid = ['secret', 'nothing'].map((word) => said(word, 'unsaid'));
      await store.append('unspoken', 'no-stream', unsaid);
      await runtime.whenKept(await store.head(), ['words']);
      expect(await words(runtime)).toEqual(['other']);
      for (const stream of ['spoken', 'unspoken']) await store.truncate(stream, 1);
      await runtime.operations.rollback('words');
      await until(async () => (await runtime.operations.status('words')).serving.generation === 3);
      expect(await words(runtime)).toEqual(['other']);
      await runtime.operations.rollback('words');
      await until(async () => (await runtime.operations.status('words')).serving.generation === 2);
      expect(await words(runtime)).toEqual(['other']);
    });

    it.each([
      ['cancelled', 'by a command'],
      ['failed', 'by a command'],
      ['failed', 'at the next start'],
    ])(
      'waits for no rebuild that is %s with what the log is to forget, and goes on with none that lacks it, %s',
      async (how, again) => {
        const refuses = new Set<string>();
        let runtime = await begin([forgettingProjector({ refuses })]);
        await store.append('spoken', 'no-stream', [said('secret'), said('much')]);
        await store.append(
          'much',
          'no-stream',
          Array.from({ length: 1000 }, () => said('much')),
        ); // of several batches
        await runtime.whenProcessed((await store.append('worse', 'no-stream', [said('bad')])).position);
        if (how === 'failed') refuses.add('bad');
        else runtime.operations.throttle(1);
        await runtime.operations.rebuild('words');
        await until(async () => (await runtime.operations.status('words')).next!.position !== START);
        if (how === 'cancelled') await runtime.operations.cancel('words');
        await until(async () => (await runtime.operations.status('words')).next!.state === how);
        const { position } = await store.append('unspoken', 'no-stream', [
          said('secret', 'unsaid'),
          said('x', 'unsaid'),
        ]);
        await runtime.whenKept(position, ['words']);
        for (const stream of ['spoken', 'unspoken']) await store.truncate(stream, 1);
        refuses.clear();
        runtime.operations.throttle(undefined);
        if (again === 'at the next start') {
          await runtime.stop();
          runtime = await begin([forgettingProjector({ refuses })]);
        } else await (how === 'failed' ? runtime.operations.resume('words') : runtime.operations.rebuild('words'));
        await until(async () => (await runtime.operations.status('words')).next === undefined);
        expect(new Set(await words(runtime))).toEqual(new Set(['much', 'bad']));
      },
    );

    it('ends where what served was on its way by itself when the next one served: that stands still, and can come back', async () => {
      let goOn = (): void => {};
      const waits = new Promise<void>((resolve) => (goOn = resolve));
      let times = 0;
      const speaks = wordsProjector();
      const slow: Projector = {
        ...speaks,
        project: async (fact, rows) => {
          if (fact.data.includes('late') && ++times === 1) await waits;
          await speaks.project(fact, rows);
        },
      };
      await say('a');
      const runtime = await begin([slow, countsProjector()]);
      await runtime.operations.pause('words', 'looks wrong');
      await runtime.whenProcessed(await say('late'));
      await runtime.operations.resume('words');
      await until(async () => times === 1);
      await runtime.operations.rebuild('words');
      await until(async () => (await runtime.operations.status('words')).serving.generation === 2);
      goOn();
      await delay(100);
      await runtime.whenProcessed(await say('c'));
      const { serving, previous } = await runtime.operations.status('words');
      expect(previous!.position < serving.position).toBe(true);
      await runtime.operations.rollback('words');
      await until(async () => (await runtime.operations.status('words')).serving.generation === 1);
      expect(await words(runtime)).toEqual(['a', 'late', 'c']);
    });

    it('keeps one former generation and no more', async () => {
      const runtime = await begin([wordsProjector()]);
      await runtime.whenProcessed(await say('a'));
      for (const generation of [2, 3, 4]) {
        await runtime.operations.rebuild('words');
        await until(async () => (await runtime.operations.status('words')).comparison?.generation === generation);
      }
      const generations = (await readModels.collections()).map((name) => /-(\d)$/.exec(name)?.[1]);
      expect(new Set(generations)).toEqual(new Set([undefined, '3', '4']));
    });

    it('refuses what makes no sense', async () => {
      const runtime = await begin([wordsProjector()]);
      await expect(runtime.operations.rebuild('nobody')).rejects.toThrow('There is no projection nobody');
      await expect(runtime.operations.switch('words')).rejects.toThrow('no generation to switch to');
      await expect(runtime.operations.rollback('words')).rejects.toThrow('no former generation');
      await expect(runtime.operations.cancel('words')).rejects.toThrow('is not being rebuilt');
    });
  });

  describe('a new version of a projector', () => {
    it('is filled while the old rows serve, then serves', async () => {
      await say('a', 'b');
      await (await begin([wordsProjector()])).stop();
      const runtime = await begin([wordsProjector({ version: 2 })]);
      await until(async () => (await runtime.operations.status('words')).serving.version === 2);
      expect(await words(runtime)).toEqual(['a/2', 'b/2']);
      await runtime.whenProcessed(await say('c'));
      expect(await words(runtime)).toEqual(['a/2', 'b/2', 'c/2']);
    });

    it('holds the token back while the old rows serve', async () => {
      await say('a', 'b');
      await (await begin([wordsProjector(), countsProjector()])).stop();
      const runtime = make([wordsProjector({ version: 2 }), countsProjector()]);
      runtime.operations.throttle(1);
      await runtime.start();
      await runtime.whenProcessed(await say('c'));
      expect(await words(runtime)).toEqual(['a', 'b']);
      expect(runtime.position()).toBe('0000000000000000002');
      expect(runtime.position(['counts'])).toBe('0000000000000000003');
      expect(await stateOf(runtime)).toBe('rebuilding');
    });

    it('is waited for where today’s queries cannot read the old rows', async () => {
      await say('a');
      await (await begin([wordsProjector()])).stop();
      const runtime = await begin([wordsProjector({ version: 2, readableSince: 2 })]);
      expect(await words(runtime)).toEqual(['a/2']);
    });

    it('keeps the server from starting where the old rows cannot be read and the new ones cannot be filled', async () => {
      await say('a', 'poison');
      await (await begin([wordsProjector()])).stop();
      const refuses = new Set(['poison']);
      await expect(begin([wordsProjector({ version: 2, readableSince: 2, refuses })])).rejects.toThrow(
        'position 0000000000000000002',
      );
    });

    it('is let go of where the old code comes back before it was filled, which writes no rows of another version', async () => {
      await say('a', 'b');
      await (await begin([wordsProjector()])).stop();
      const newer = make([wordsProjector({ version: 2 })]);
      newer.operations.throttle(1);
      await newer.start();
      await until(async () => (await newer.operations.status('words')).next!.position > START);
      await say('c');
      await newer.stop();
      const older = await begin([wordsProjector()]);
      await say('d');
      await until(async () => (await words(older)).length === 4);
      expect(await words(older)).toEqual(['a', 'b', 'c', 'd']);
      expect(await older.operations.status('words')).toMatchObject({
        state: 'live',
        serving: { version: 1, generation: 1 },
      });
      expect([
        (await older.operations.status('words')).next,
        (await older.operations.status('words')).previous,
      ]).toEqual([undefined, undefined]);
      await older.stop();
      const again = await begin([wordsProjector({ version: 2 })]);
      await until(async () => (await again.operations.status('words')).serving.version === 2);
      expect(await words(again)).toEqual(['a/2', 'b/2', 'c/2', 'd/2']);
    });

    it('gives way to the old version without a rebuild when the old code comes back', async () => {
      await say('a', 'b');
      await (await begin([wordsProjector()])).stop();
      const newer = await begin([wordsProjector({ version: 2 })]);
      await until(async () => (await newer.operations.status('words')).serving.version === 2);
      await newer.whenProcessed(await say('c'));
      await newer.stop();
      const seen: string[] = [];
      const older = wordsProjector();
      const runtime = await begin([
        { ...older, project: (fact, rows) => (seen.push(fact.position), older.project(fact, rows)) },
      ]);
      await until(async () => (await runtime.operations.status('words')).serving.version === 1);
      expect(await words(runtime)).toEqual(['a', 'b', 'c']);
      expect(seen).toEqual(['0000000000000000003']);
    });
  });

  describe('whenKept', () => {
    const settledOf = (waiting: Promise<void>): (() => boolean) => {
      let isSettled = false;
      void waiting.then(() => (isSettled = true));
      return () => isSettled;
    };

    it('settles once what was written of a fact is on disk', async () => {
      const runtime = await begin([wordsProjector()]);
      let sync = (): void => {};
      const flushing = vi.spyOn(readModels, 'flush').mockReturnValue(new Promise((resolve) => (sync = resolve)));
      const position = await say('a');
      await runtime.whenProcessed(position);
      const isSettled = settledOf(runtime.whenKept(position, ['words']));
      await until(async () => flushing.mock.calls.length > 0);
      expect(isSettled()).toBe(false);
      sync();
      await until(async () => isSettled());
    });

    it('waits for what is paused, and not for other projections', async () => {
      const runtime = await begin([wordsProjector(), countsProjector()]);
      await runtime.operations.pause('words', 'looks wrong');
      const position = await say('a');
      await runtime.whenKept(position, ['counts']);
      const isSettled = settledOf(runtime.whenKept(position, ['words', 'counts']));
      await delay(5);
      expect(isSettled()).toBe(false);
      await runtime.operations.resume('words');
      await until(async () => isSettled());
      expect(await words(runtime)).toEqual(['a']);
    });

    it('waits for a generation that is being filled beside the serving one', async () => {
      const runtime = await begin([wordsProjector()]);
      await say(...Array.from({ length: 3000 }, (_, n) => `${n}`));
      await runtime.whenProcessed(await store.head());
      runtime.operations.throttle(2_000);
      await runtime.operations.rebuild('words');
      const position = await say('last');
      await runtime.whenProcessed(position);
      const isSettled = settledOf(runtime.whenKept(position, ['words']));
      await delay(5);
      expect(isSettled()).toBe(false);
      runtime.operations.throttle(undefined);
      await until(async () => isSettled());
      const { serving, next } = await runtime.operations.status('words');
      expect([serving.generation, next?.position ?? position]).toEqual([next === undefined ? 2 : 1, position]);
    });

    it('rejects where the projections are stopped', async () => {
      const runtime = await begin([wordsProjector()]);
      const waiting = runtime.whenKept('0000000000000000009' as Position, ['words']);
      await Promise.all([expect(waiting).rejects.toThrow('stopped'), runtime.stop()]);
    });
  });

  describe('pausing, resuming and cancelling', () => {
    it('keeps a projection where it is, over a restart too, and catches up after resume', async () => {
      const first = await begin([wordsProjector(), countsProjector()]);
      await first.whenProcessed(await say('a'));
      await first.operations.pause('words', 'looks wrong');
      await first.whenProcessed(await say('b'));
      expect(await words(first)).toEqual(['a']);
      expect(await first.get('counts', ['word', 'b'])).toBeDefined();
      await first.stop();
      const second = await begin([wordsProjector(), countsProjector()]);
      expect(await second.operations.status('words')).toMatchObject({
        state: 'paused',
        paused: { reason: 'looks wrong', at: 7 },
        position: '0000000000000000001',
      });
      let moved: Position | undefined;
      const moving = second.whenMoved(second.position(['words']), ['words']).then((at) => (moved = at));
      await second.whenProcessed(await say('c'));
      expect(await words(second)).toEqual(['a']);
      expect([second.position(), moved]).toEqual(['0000000000000000001', undefined]);
      expect(await second.whenMoved(second.position(['words']), ['counts'])).toBe('0000000000000000003');
      await second.operations.resume('words');
      expect(await moving).toBe('0000000000000000003');
      await untilState(second, 'live');
      expect(await words(second)).toEqual(['a', 'b', 'c']);
      expect(second.position()).toBe('0000000000000000003');
    });

    it('goes on with an interrupted rebuild after a restart, and with a cancelled one when told to', async () => {
      const seen: string[] = [];
      const watched = (): Projector => {
        const projector = wordsProjector();
        return { ...projector, project: (fact, rows) => (seen.push(fact.position), projector.project(fact, rows)) };
      };
      const first = await begin([watched()]);
      for (let i = 0; i < 5; i++) await say(...Array.from({ length: 600 }, (_, n) => `${i}-${n}`));
      await first.whenProcessed(await store.head());
      first.operations.throttle(400);
      await first.operations.rebuild('words');
      await until(async () => (await first.operations.status('words')).next!.position > START);
      await first.stop();
      const { next } = await first.operations.status('words');
      expect(positionNumber(next!.position)).toBeLessThan(3000);

      seen.length = 0;
      const second = make([watched()]);
      second.operations.throttle(400);
      await second.start();
      await until(async () => (await second.operations.status('words')).next!.position > next!.position);
      await second.operations.cancel('words');
      const cancelled = (await second.operations.status('words')).next!;
      expect(cancelled).toMatchObject({ generation: 2, state: 'cancelled' });
      expect(await stateOf(second)).toBe('live');
      expect(seen[0]! > next!.position).toBe(true);
      await second.stop();

      seen.length = 0;
      const third = await begin([watched()]);
      await delay(5);
      expect(seen).toEqual([]);
      await third.operations.rebuild('words');
      await until(async () => (await third.operations.status('words')).comparison !== undefined);
      expect(seen[0]! > cancelled.position).toBe(true);
      expect((await third.operations.status('words')).comparison).toMatchObject({
        generation: 2,
        rows: 3001,
        differences: 0,
      });
    });

    it('is rebuilt once where two ask for that at once, and leaves nothing behind', async () => {
      const runtime = await begin([wordsProjector()]);
      await runtime.whenProcessed(await say('a', 'b'));
      const asked = await Promise.allSettled([
        runtime.operations.rebuild('words'),
        runtime.operations.rebuild('words'),
      ]);
      expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
      await untilState(runtime, 'live');
      await runtime.whenProcessed(await say('c'));
      expect(await words(runtime)).toEqual(['a', 'b', 'c']);
      expect((await runtime.operations.status('words')).serving).toMatchObject({ generation: 2 });
    });

    it('begins anew where that was asked for', async () => {
      const runtime = await begin([wordsProjector()]);
      await runtime.whenProcessed(await say('a'));
      runtime.operations.throttle(1);
      await runtime.operations.rebuild('words');
      await runtime.operations.cancel('words');
      runtime.operations.throttle(undefined);
      await runtime.operations.rebuild('words', { fromStart: true });
      await until(async () => (await runtime.operations.status('words')).serving.generation === 3);
      expect(await words(runtime)).toEqual(['a']);
    });

    it('refuses to rebuild what is paused', async () => {
      const runtime = await begin([wordsProjector()]);
      await runtime.operations.pause('words', 'x');
      await expect(runtime.operations.rebuild('words')).rejects.toThrow('resume it first');
    });
  });

  it('shows how far a rebuild is', async () => {
    const runtime = await begin([wordsProjector()]);
    for (let i = 0; i < 6; i++) await say(...Array.from({ length: 500 }, (_, n) => `${i}-${n}`));
    await runtime.whenProcessed(await store.head());
    runtime.operations.throttle(1_000);
    await runtime.operations.rebuild('words');
    await until(async () => (await runtime.operations.status('words')).facts.done > 0);
    const status = await runtime.operations.status('words');
    expect(status).toMatchObject({ state: 'rebuilding', head: '0000000000000003000', version: 1 });
    expect(status.facts).toEqual({ done: positionNumber(status.position), of: 3000 });
    expect(status.factsPerSecond).toBeGreaterThan(0);
    expect(status.secondsLeft).toBeGreaterThanOrEqual(0);
  });

  it('lets the event loop breathe while it catches up', async () => {
    for (let i = 0; i < 40; i++) await say(...Array.from({ length: 500 }, (_, n) => `${i}-${n}`));
    let turns = 0;
    const ticking = setInterval(() => turns++, 1);
    await begin([wordsProjector()]);
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(3);
  });
});
