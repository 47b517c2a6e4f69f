import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { START } from '#kernel/position';
import { MemoryEventStore } from '#testing/memory-event-store';
import { said } from '../example-projectors.js';
import type { ProjectionLog } from '../runtime-parts.js';
import type { Effect } from './effect.js';
import { EffectNotes } from './effect-notes.js';
import { EffectRunner } from './effect-runner.js';

const wordOf = (fact: RecordedFact): string => (JSON.parse(fact.data) as { word: string }).word;
const poll = { interval: 1 };
const silent: ProjectionLog = { info() {}, warn() {}, error() {} };
const clock = { now: () => 7 };

let store: MemoryEventStore;
let done: string[];
/** What fails, however often it is tried. */
let poison: Set<string>;
let runners: EffectRunner[];

beforeEach(() => {
  store = new MemoryEventStore();
  done = [];
  poison = new Set();
  runners = [];
});
afterEach(async () => {
  for (const runner of runners) await runner.stop();
});

/** Within the first letter of a word; `run` may fail. */
const echo = (more: Partial<Effect> = {}): Effect => ({
  name: 'echo',
  fromStart: true,
  keyOf: (fact) => (fact.type === 'said' ? wordOf(fact)[0] : undefined),
  async run(fact) {
    if (poison.has(wordOf(fact))) throw new Error(`${wordOf(fact)} is poison`);
    done.push(wordOf(fact));
    return true;
  },
  ...more,
});

async function say(...words: string[]): Promise<void> {
  const { length } = store.facts.filter(({ stream }) => stream === 's');
  await store.append(
    's',
    length === 0 ? 'no-stream' : length - 1,
    words.map((word) => said(word)),
  );
  for (const runner of runners) runner.hear(store.facts);
}

async function begin(effect = echo()): Promise<EffectRunner> {
  const live = {
    get position() {
      return store.facts.at(-1)?.position ?? START;
    },
    areThere: true,
    whenProcessed: async () => {},
    confirm: async () => {},
  };
  const runner = new EffectRunner({ store, clock, effects: [effect], log: silent, live, retryMs: 0.01 });
  runners.push(runner);
  await runner.start();
  return runner;
}

const words = async (from: Pick<EffectRunner, 'letters'>): Promise<string[]> =>
  (await from.letters()).map(({ stream, revision }) =>
    wordOf(store.facts.find((fact) => fact.stream === stream && fact.revision === revision)!),
  );

describe('a dead letter', () => {
  it('is kept in the log, with its fact and why, also when all is said again and after a restart', async () => {
    poison.add('Ant');
    const runner = await begin();
    await say('Ant', 'Bee');
    await expect.poll(() => words(runner), poll).toEqual(['Ant']);
    for (let i = 0; i < 300; i++) {
      await say(`Cat${i}`);
      await expect.poll(() => done.at(-1), poll).toBe(`Cat${i}`);
    }
    expect(store.facts.some(({ type }) => type === 'effects-summary')).toBe(true);
    await runner.stop();
    const [letter] = await (await begin()).letters('echo');
    expect(letter).toMatchObject({ effect: 'echo', key: 'A', stream: 's', revision: 0, tries: 11, at: 7 });
    expect(letter).toMatchObject({ fact: store.facts.find((fact) => fact.stream === 's')!.id, error: 'Ant is poison' });
    expect(runners.at(-1)!.list()).toMatchObject([{ waiting: 0, deadLetters: 1 }]);
    expect(done).not.toContain('Ant');
  });

  it('that cannot be noted yet is not passed: the next process makes it one', async () => {
    poison.add('Ant');
    const append = store.append.bind(store);
    let refused = 0;
    store.append = async (stream, expected, facts) => {
      if (!facts.some(({ type }) => type === 'effect-given-up')) return append(stream, expected, facts);
      refused++;
      throw new Error('the log is full');
    };
    const first = await begin();
    await say('Ant', 'Bee');
    await expect.poll(() => [refused > 0, done.length], poll).toEqual([true, 1]);
    await first.stop();
    store.append = append;
    const second = await begin();
    await expect.poll(() => words(second), poll).toEqual(['Ant']);
  });

  it('is tried again when an operator says so, and then done once', async () => {
    poison.add('Ant');
    const runner = await begin();
    await say('Ant', 'Auk');
    await expect.poll(() => words(runner), poll).toEqual(['Ant']);
    poison.clear();
    const [letter] = await runner.letters();
    await runner.retry('echo', letter!.fact);
    await expect.poll(() => words(runner), poll).toEqual([]);
    await runner.stop();
    await begin();
    await say('Bee');
    await expect.poll(() => done, poll).toEqual(['Auk', 'Ant', 'Bee']);
  });

  it('that fails again is one again', async () => {
    poison.add('Ant');
    const runner = await begin();
    await say('Ant');
    await expect.poll(() => words(runner), poll).toEqual(['Ant']);
    await runner.retry('echo');
    await expect.poll(() => runner.list()[0], poll).toMatchObject({ givenUp: 2, deadLetters: 1, waiting: 0 });
    poison.clear();
    await runner.retry('echo');
    await expect.poll(() => done, poll).toEqual(['Ant']);
  });

  it('of a stopped server is tried again by its next start', async () => {
    poison.add('Ant');
    const first = await begin();
    await say('Ant');
    await expect.poll(() => words(first), poll).toEqual(['Ant']);
    await first.stop();
    poison.clear();
    await new EffectNotes(store, clock).retry('echo');
    expect(done).toEqual([]);
    await begin();
    await expect.poll(() => done, poll).toEqual(['Ant']);
  });

  it('that is dropped never happens, and there has to be one', async () => {
    poison.add('Ant');
    const runner = await begin();
    await say('Ant');
    await expect.poll(() => words(runner), poll).toEqual(['Ant']);
    await expect(runner.drop('echo', 'another')).rejects.toThrow('echo has no dead letter of the fact another');
    await runner.drop('echo');
    expect(await words(runner)).toEqual([]);
    await expect(runner.retry('echo')).rejects.toThrow('echo has no dead letters');
    await expect(runner.letters('other')).rejects.toThrow('There is no effect other');
    poison.clear();
    await runner.stop();
    await begin();
    await say('Bee');
    await expect.poll(() => done, poll).toEqual(['Bee']);
  });

  it('holds up the later facts of its key where the effect is strict, until it is done or dropped', async () => {
    poison.add('Ant').add('Bat');
    const runner = await begin(echo({ isStrict: true }));
    await say('Ant', 'Auk', 'Bat', 'Bee', 'Cat');
    await expect.poll(async () => (await words(runner)).toSorted(), poll).toEqual(['Ant', 'Auk', 'Bat', 'Bee']);
    expect(done).toEqual(['Cat']);
    poison.clear();
    const letters = await runner.letters();
    const factOf = (revision: number): string => letters.find((letter) => letter.revision === revision)!.fact;
    // One that waits is of no use before the one it waits for.
    await runner.retry('echo', factOf(1));
    await expect.poll(() => runner.list()[0]!.waiting, poll).toBe(0);
    expect(done).toEqual(['Cat']);
    await runner.retry('echo', factOf(0));
    await expect.poll(() => done, poll).toEqual(['Cat', 'Ant', 'Auk']);
    await runner.drop('echo', factOf(2));
    await expect.poll(() => done, poll).toEqual(['Cat', 'Ant', 'Auk', 'Bee']);
    expect(await words(runner)).toEqual([]);
  });
});

describe('the order of a key', () => {
  const aWord = fc.record({ key: fc.constantFrom('A', 'B', 'C'), failures: fc.constantFrom(0, 0, 1, 3, 20) });

  it('holds whatever fails, however often, and wherever the server is stopped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(aWord, { maxLength: 12 }), fc.integer({ min: 0, max: 12 }), async (spoken, stopAt) => {
        store = new MemoryEventStore();
        done = [];
        runners = [];
        const left = new Map<string, number>(spoken.map(({ key, failures }, i) => [`${key}${i}`, failures]));
        const effect = echo({
          isStrict: true,
          async run(fact) {
            const word = wordOf(fact);
            const failures = left.get(word)!;
            left.set(word, failures - 1);
            if (failures > 0) throw new Error('not yet');
            if (!done.includes(word)) done.push(word);
            return true;
          },
        });
        let runner = await begin(effect);
        const all = [...left.keys()];
        for (const [i, word] of all.entries()) {
          if (i === stopAt) {
            await runner.stop();
            runners = [];
            runner = await begin(effect);
          }
          await say(word);
        }
        for (let rounds = 0; done.length < all.length && rounds < 100; rounds++) {
          await expect.poll(() => runner.list()[0]!.waiting, poll).toBe(0);
          if (runner.list()[0]!.deadLetters > 0) await runner.retry('echo');
        }
        const ofKey = (some: readonly string[], key: string): string[] => some.filter((word) => word[0] === key);
        for (const key of ['A', 'B', 'C']) expect(ofKey(done, key)).toEqual(ofKey(all, key));
        await runner.stop();
      }),
      { numRuns: 60 },
    );
  });
});
