import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { LogHistory } from '#event-store/log-history';
import type { Position } from '#kernel/position';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { SpokenLog } from '#testing/spoken-log';
import { countsProjector, wordsProjector } from './example-projectors.js';
import { findForgotten } from './forgotten-marks.js';
import { ProjectionRuntime } from './projection-runtime.js';
import { checkpointWrite } from './projection-records.js';
import type { Projector } from './projector.js';
import type { RuntimeParts } from './runtime-parts.js';

/** A process: its runtime, its own hold of the views, and what its listener heard. */
interface Process {
  readonly runtime: ProjectionRuntime;
  readonly readModels: MemoryReadModels;
  readonly heard: Position[];
}

const CHECKPOINT = [checkpointWrite(null, undefined, 0).collection, checkpointWrite(null, undefined, 0).key] as const;

/** Counts words, and takes as long as a test likes. */
class SlowProjector {
  readonly projector: Projector = (() => {
    const counts = countsProjector();
    return {
      ...counts,
      project: async (fact, rows) => {
        await this.#held;
        await counts.project(fact, rows);
      },
    };
  })();
  #held: Promise<void> | undefined;
  #goOn = (): void => {};

  hold(): void {
    this.#held = new Promise((resolve) => (this.#goOn = resolve));
  }

  goOn(): void {
    this.#goOn();
    this.#held = undefined;
  }
}

describe('two processes on one log and one store of views', () => {
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

  const make = (projectors: readonly Projector[], parts: Partial<RuntimeParts> = {}): Process => {
    const heard: Position[] = [];
    const own = readModels.another();
    const hear = (facts: readonly RecordedFact[]): void => {
      for (const { position } of facts) {
        expect(runtime.position() >= position).toBe(true);
        heard.push(position);
      }
    };
    const runtime: ProjectionRuntime = new ProjectionRuntime({
      store,
      readModels: own,
      projectors,
      listeners: [{ name: 'l', reads: ['words', 'counts'], hear }],
      clock: { now: () => 7 },
      ...parts,
    });
    runtimes.push(runtime);
    return { runtime, readModels: own, heard };
  };

  const begin = async (projectors = [wordsProjector(), countsProjector()]): Promise<Process> => {
    const made = make(projectors);
    await made.runtime.start();
    return made;
  };

  const words = async ({ runtime }: Process): Promise<string[]> =>
    (await runtime.scan('words', { limit: 10_000 })).map((row) => row.value);

  const until = (condition: () => Promise<boolean> | boolean): Promise<void> =>
    expect.poll(condition, { interval: 5 }).toBe(true);

  it('wait for what the first has begun to fill in this very moment, where the log is to forget something', async () => {
    const position = await say(...Array.from({ length: 300 }, (_, n) => `${n}`));
    const first = await begin();
    const second = await begin();
    first.runtime.operations.throttle(100);
    await first.runtime.operations.rebuild('words');
    let isKept = false;
    void second.runtime.whenKept(position, ['words']).then(() => (isKept = true));
    await delay(50);
    // By that older copies of the views are known, for whichever process asks.
    const forgotten = async (): Promise<ReadonlyMap<string, Position>> =>
      (await findForgotten(store, LogHistory.UNBROKEN)).upTo;
    expect([isKept, await forgotten()]).toEqual([false, new Map()]);
    await first.runtime.operations.cancel('words');
    await until(() => isKept);
    expect(await forgotten()).toEqual(new Map([['words', position]]));
  });

  it('answer the same, though the second writes no row', async () => {
    await say('a', 'b');
    const first = await begin();
    const second = await begin();
    expect([first.runtime.isWriter, second.runtime.isWriter]).toEqual([true, false]);
    expect(await words(second)).toEqual(['a', 'b']);
    for (const word of ['c', 'd', 'e']) {
      const position = await say(word);
      await second.runtime.whenProcessed(position);
      expect((await words(second)).at(-1)).toBe(word);
      expect(second.runtime.position()).toBe(position);
    }
    expect(await second.runtime.operations.list()).toMatchObject([{ state: 'live' }, { state: 'live' }]);
    expect(second.readModels.writeCalls).toBe(0);
  });

  it('both tell their listeners of every fact once, in order, when the views have it', async () => {
    await say('old');
    const first = await begin();
    const second = await begin();
    const last = await say('a', 'b').then(() => say('c'));
    await Promise.all([first, second].map(({ runtime }) => runtime.whenProcessed(last)));
    await until(() => first.heard.length === 3 && second.heard.length === 3);
    expect(second.heard).toEqual(first.heard);
  });

  it('tell their listeners also of what the first wrote while the second began', async () => {
    await say('old');
    const first = await begin();
    const head = store.head.bind(store);
    let meanwhile: Position | undefined;
    store.head = async () => {
      const before = await head();
      if (meanwhile === undefined) await first.runtime.whenProcessed((meanwhile = await say('a')));
      return before;
    };
    const second = await begin();
    const last = await say('b');
    await until(() => second.heard.length > 1);
    expect(second.heard).toEqual([meanwhile, last]);
  });

  it('wait for what the other has not written yet, and for that alone', async () => {
    const first = await begin();
    const second = await begin();
    first.readModels.failure = new Error('slow');
    const position = await say('a');
    let isDone = false;
    const waiting = second.runtime.whenProcessed(position).then(() => (isDone = true));
    await delay(50);
    expect([isDone, second.heard]).toEqual([false, []]);
    first.readModels.failure = undefined;
    await waiting;
    expect(await words(second)).toEqual(['a']);
  });

  it('go on as one when the first is gone: the second takes its place, and nobody misses or hears twice of a fact', async () => {
    const first = await begin();
    const second = await begin();
    const facts = [await say('a')];
    await second.runtime.whenProcessed(facts[0]!);
    await first.runtime.stop();
    facts.push(await say('b'), await say('c'));
    first.readModels.loseLease();
    await second.runtime.whenProcessed(facts[2]!);
    facts.push(await say('d'));
    await second.runtime.whenProcessed(facts[3]!);
    expect(second.runtime.isWriter).toBe(true);
    expect(await words(second)).toEqual(['a', 'b', 'c', 'd']);
    await until(() => second.heard.length >= 4);
    expect(second.heard).toEqual(facts);
    expect(await second.runtime.get('counts', ['word', 'd'])).toBe(`1@${facts[3]}`);
  });

  it.each([
    ['', false],
    [', also where the views cannot be read for a moment then', true],
  ])('take over also what the first had written and the second had not heard of%s', async (_, isAwayThen) => {
    const first = await begin();
    const second = await begin();
    const subscribe = store.subscribe.bind(store);
    // The second is far behind in the log when it takes over.
    await second.runtime.stop();
    const third = make([wordsProjector(), countsProjector()]);
    Object.assign(store, {
      async *subscribe(options: Parameters<MemoryEventStore['subscribe']>[0]) {
        for await (const batch of subscribe(options)) {
          await delay(900);
          yield batch;
        }
      },
    });
    await third.runtime.start();
    Object.assign(store, { subscribe });
    const last = await say('a', 'b', 'c');
    await first.runtime.whenProcessed(last);
    const [takeLease, getMany] = [third.readModels.takeLease, third.readModels.getMany];
    third.readModels.takeLease = async () => {
      const isTaken = await takeLease.call(third.readModels);
      if (isTaken && isAwayThen) {
        third.readModels.getMany = async (...asked) => {
          if (!third.runtime.isWriter) throw new ViewsUnavailable('for a moment');
          return await getMany.apply(third.readModels, asked);
        };
      }
      return isTaken;
    };
    first.readModels.loseLease();
    await first.runtime.stop();
    await until(() => third.runtime.isWriter);
    await until(() => third.heard.length === 3);
    await third.runtime.whenProcessed(await say('d'));
    await until(() => third.heard.length === 4);
    expect(await words(third)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('take over also where the last fact that the views have is gone from the log, before the second has heard of it', async () => {
    const first = await begin();
    await first.runtime.whenProcessed(await say('a'));
    const subscribe = store.subscribe.bind(store);
    let goOn = (): void => {};
    const held = new Promise<void>((resolve) => (goOn = resolve));
    store.subscribe = async function* (options) {
      await held;
      yield* subscribe(options);
    };
    const second = await begin();
    await first.runtime.whenProcessed(await say('b'));
    await first.runtime.stop();
    const last = await say('c');
    await store.truncate('s', 2);
    first.readModels.loseLease();
    goOn();
    await until(() => second.runtime.isWriter);
    await second.runtime.whenProcessed(last);
    expect(await words(second)).toEqual(['a', 'b', 'c']);
    expect(second.heard).toEqual([last]);
  });

  it('see in the place of the first what they do themselves, also where a look at what it did is answered late', async () => {
    const first = await begin();
    await first.runtime.whenProcessed(await say('a'));
    let answer = (): void => {};
    let looking: Promise<void> | undefined;
    const beforeWriting = async (): Promise<void> => {
      const getMany = second.readModels.getMany.bind(second.readModels);
      const held = new Promise<void>((resolve) => (answer = resolve));
      let isHeld = false;
      second.readModels.getMany = async (...asked) => {
        const rows = await getMany(...asked);
        second.readModels.getMany = getMany;
        isHeld = true;
        await held;
        return rows;
      };
      looking = second.runtime.confirm();
      await until(() => isHeld);
    };
    const second = make([wordsProjector(), countsProjector()], { beforeWriting });
    await second.runtime.start();
    await first.runtime.stop();
    first.readModels.loseLease();
    await until(() => second.runtime.isWriter);
    answer();
    await looking;
    await second.runtime.operations.rebuild('words');
    await until(async () => (await second.runtime.operations.status('words')).serving.generation === 2);
  });

  it('see a rebuild of the other: its new rows once they serve', async () => {
    const first = await begin();
    const second = await begin();
    await second.runtime.whenProcessed(await say('a'));
    await first.runtime.operations.rebuild('words');
    await until(async () => (await second.runtime.operations.status('words')).serving.generation === 2);
    expect(await words(second)).toEqual(['a']);
    expect(await second.runtime.operations.status('words')).toMatchObject({ previous: { generation: 1 } });
  });

  it('are steered where they are written', async () => {
    await begin();
    const second = await begin();
    await expect(second.runtime.operations.rebuild('words')).rejects.toThrow('Another process writes');
    await expect(second.runtime.operations.pause('words', 'x')).rejects.toThrow('Another process writes');
    await expect(make([wordsProjector()]).runtime.load()).rejects.toThrow('Another process writes');
  });

  it('of different logs are told that each needs a store of its own', async () => {
    const owner = readModels.another();
    await owner.takeLease();
    await owner.write([checkpointWrite('another log', undefined, 0)]);
    await expect(make([wordsProjector()]).runtime.start()).rejects.toThrow('each needs one of its own');
  }, 30_000);

  it('begin with the second waiting for views that are of no log yet, or that its queries cannot read', async () => {
    const owner = readModels.another();
    await owner.takeLease();
    const second = make([wordsProjector({ version: 2, readableSince: 2 })]);
    let isThere = false;
    const starting = second.runtime.start().then(() => (isThere = true));
    await delay(50);
    await owner.write([checkpointWrite(null, undefined, 0)]);
    await owner.loseLease();
    const older = make([wordsProjector()]);
    await older.readModels.takeLease();
    await older.runtime.start();
    await older.runtime.whenProcessed(await say('a'));
    await delay(600);
    expect(isThere).toBe(false);
    await older.runtime.stop();
    older.readModels.loseLease();
    await starting;
    expect(second.runtime.isWriter).toBe(true);
    expect(await words(second)).toEqual(['a/2']);
  });

  it('read nothing while the first makes the views anew', async () => {
    const first = await begin();
    const second = await begin();
    await second.runtime.whenProcessed(await say('a'));
    await first.readModels.write([{ collection: 'annals.projections', key: ['checkpoint'], value: '{}' }]);
    await until(async () => {
      const answer = await second.runtime.get('last-word', ['s']).catch((error: Error) => error.name);
      return answer === 'ViewsUnavailable';
    });
    const position = await say('b');
    // What was written is in the log: whoever waits for some of the views is not refused either.
    await Promise.all([undefined, ['words']].map((each) => second.runtime.whenProcessed(position, each)));
    expect(await second.runtime.get('last-word', ['s'])).toBe('b');
  });

  it('read nothing either until all is there again that was, nor count what they have read', async () => {
    const first = await begin();
    const second = await begin();
    const position = await say('a', 'b');
    await Promise.all([first, second].map(({ runtime }) => runtime.whenProcessed(position)));
    await second.runtime.confirm();
    // A third one has thrown them away, and has come as far as the beginning.
    const last = checkpointWrite(null, undefined, 0);
    const before = await readModels.get(last.collection, last.key);
    await first.readModels.write([last]);
    await expect(second.runtime.confirm()).rejects.toThrow('the views are made anew');
    await expect(second.runtime.scan('words', { limit: 9 })).rejects.toThrow('made anew');
    await first.readModels.write([{ ...last, value: before! }]);
    await second.runtime.confirm();
    expect(await second.runtime.get('last-word', ['s'])).toBe('b');
  });

  it('take what was read of the other late for what it was then, and not for views that are made anew', async () => {
    await begin();
    const second = await begin();
    await second.runtime.whenProcessed(await say('a'));
    const getMany = second.readModels.getMany.bind(second.readModels);
    let isHeld = false;
    second.readModels.getMany = async (collection, keys) => {
      const rows = await getMany(collection, keys);
      if (!isHeld && collection === CHECKPOINT[0]) {
        isHeld = true;
        await delay(50);
      }
      return rows;
    };
    const confirming = second.runtime.confirm();
    await until(() => isHeld);
    await second.runtime.whenProcessed(await say('b'));
    await confirming;
    expect(await words(second)).toEqual(['a', 'b']);
  });

  /** Lets a process take the place of one whose views were thrown away with it. Facts reach it once `goOn` is called. */
  const takePlaceOf = async (first: Process, second: Process): Promise<{ readonly goOn: () => void }> => {
    await first.runtime.stop();
    for (const collection of await first.readModels.collections()) await first.readModels.drop(collection);
    const subscribe = store.subscribe.bind(store);
    let goOn = (): void => {};
    const held = new Promise<void>((resolve) => (goOn = resolve));
    Object.assign(store, {
      async *subscribe(options: Parameters<MemoryEventStore['subscribe']>[0]) {
        await held;
        yield* subscribe(options);
      },
    });
    first.readModels.loseLease();
    await until(() => second.runtime.isWriter);
    return { goOn };
  };

  it('read nothing either in the place of the first, where the views were thrown away with it, until all is there again', async () => {
    const first = await begin();
    const second = await begin();
    const position = await say('a', 'b');
    await Promise.all([first, second].map(({ runtime }) => runtime.whenProcessed(position)));
    const { goOn } = await takePlaceOf(first, second);
    await expect(second.runtime.get('last-word', ['s'])).rejects.toThrow('made anew');
    goOn();
    const last = await say('c');
    await second.runtime.whenProcessed(last);
    expect(await words(second)).toEqual(['a', 'b', 'c']);
    await until(() => second.heard.length === 3);
  });

  it('read nothing of views that are made anew until all is there again, also what takes longer than the rest', async () => {
    const slow = new SlowProjector();
    const first = await begin();
    const second = await begin([wordsProjector(), slow.projector]);
    const position = await say('a', 'b');
    await Promise.all([first, second].map(({ runtime }) => runtime.whenProcessed(position)));
    slow.hold();
    const { goOn } = await takePlaceOf(first, second);
    const last = await say('c');
    goOn();
    await until(async () => (await first.readModels.get(...CHECKPOINT))?.includes(last) === true);
    await expect(second.runtime.get('counts', ['word', 'a'])).rejects.toThrow('made anew');
    await expect(second.runtime.get('last-word', ['s'])).rejects.toThrow('made anew');
    const third = make([wordsProjector(), countsProjector()]);
    let hasStarted = false;
    const starting = third.runtime.start().then(() => (hasStarted = true));
    await until(async () => (await third.runtime.get('last-word', ['s']).catch(() => undefined)) === 'c');
    await delay(50);
    expect(hasStarted).toBe(false);
    slow.goOn();
    await starting;
    for (const { runtime } of [second, third]) {
      await until(async () => (await runtime.get('counts', ['word', 'c']).catch(() => undefined)) !== undefined);
      expect(await runtime.get('counts', ['word', 'a'])).toMatch(/^1@/);
    }
  });
});
