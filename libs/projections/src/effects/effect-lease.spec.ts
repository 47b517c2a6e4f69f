import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { said, wordsProjector } from '../example-projectors.js';
import { ProjectionRuntime } from '../projection-runtime.js';
import type { LeaseTerms } from './effect-lease.js';
import type { Effect } from './effect.js';

const never = (): Promise<never> => new Promise(() => {});
const wordOf = (fact: RecordedFact): string => (JSON.parse(fact.data) as { word: string }).word;
const poll = { interval: 2 };

/** One of several processes over one log, with views of its own. */
interface Process {
  readonly runtime: ProjectionRuntime;
  readonly done: string[];
  /** Where its effects are run. */
  runs(): string;
  /** Lets it get nowhere any more. */
  kill(): void;
  /** Lets nothing of it reach the log until the answer is called. */
  hold(): () => void;
}

let store: MemoryEventStore;
let processes: Process[];
let spoken: number;

beforeEach(() => {
  store = new MemoryEventStore();
  processes = [];
  spoken = 0;
});
afterEach(async () => {
  for (const { runtime } of processes) await runtime.stop();
});

async function say(...words: string[]): Promise<void> {
  const expected = spoken === 0 ? 'no-stream' : spoken - 1;
  spoken += words.length;
  await store.append(
    's',
    expected,
    words.map((word) => said(word)),
  );
}

async function begin(
  terms: Omit<LeaseTerms, 'place'> & Partial<LeaseTerms>,
  run: (word: string) => Promise<void> = async () => {},
  ranges?: number,
): Promise<Process> {
  let gate: Promise<void> = Promise.resolve();
  const append: EventStore['append'] = async (...args) => {
    await gate;
    return store.append(...args);
  };
  const own = new Proxy(store, {
    get(target, name: keyof MemoryEventStore) {
      const value = target[name];
      return name === 'append' ? append : typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const done: string[] = [];
  const effect: Effect = {
    name: 'echo',
    fromStart: true,
    ranges,
    keyOf: (fact) => (fact.type === 'said' ? wordOf(fact).split(' ')[0] : undefined),
    async run(fact) {
      await run(wordOf(fact));
      done.push(wordOf(fact));
      return true;
    },
  };
  const runtime = new ProjectionRuntime({
    store: own,
    readModels: new MemoryReadModels(),
    projectors: [wordsProjector()],
    listeners: [],
    effects: [effect],
    effectLease: { place: `machine ${processes.length}`, ...terms },
    clock: { now: () => 7 },
  });
  const process: Process = {
    runtime,
    done,
    runs: () =>
      runtime.effects
        .list()
        .map((status) => status.runs)
        .join(' '),
    kill: () => void (gate = never()),
    hold() {
      let open: () => void = () => {};
      gate = new Promise<void>((resolve) => (open = resolve));
      return open;
    },
  };
  processes.push(process);
  await runtime.start();
  return process;
}

const notes = (type: string): number => store.facts.filter((fact) => fact.type === type).length;

const PATIENT = { answerMs: 60_000, askMs: 60_000 };
const HASTY = { answerMs: 1_000, askMs: 1 };

describe('an effect of two processes with one log', () => {
  it('is run by one of them, which keeps it however often it is asked', async () => {
    const [first, second] = [await begin(HASTY), await begin(HASTY)];
    for (let i = 0; i < 5; i++) {
      await say(`a${i}`, `b${i}`);
      await expect.poll(() => notes('effects-asked'), poll).toBeGreaterThan(i);
    }
    await expect.poll(() => first.done.length, poll).toBe(10);
    expect(second.done).toEqual([]);
    expect([first.runs(), second.runs()]).toEqual(['here', 'elsewhere']);
    expect(notes('effects-taken')).toBe(1);
  });

  it('is run by the other one when the first is killed, with what was under way', async () => {
    const first = await begin(HASTY, (word) => (word === 'stuck' ? never() : Promise.resolve()));
    const second = await begin(HASTY);
    await say('one', 'stuck', 'two');
    await expect.poll(() => first.done, poll).toEqual(['one', 'two']);
    await expect.poll(() => notes('effects-passed'), poll).toBeGreaterThan(0);
    first.kill();
    await say('three');
    await expect.poll(() => second.done, poll).toEqual(expect.arrayContaining(['stuck', 'two', 'three']));
    expect(second.done).not.toContain('one');
    expect(second.runs()).toBe('here');
  });

  it('is run at once by the next process at the place of one that was killed', async () => {
    const first = await begin({ ...PATIENT, place: 'data' });
    await say('one');
    await expect.poll(() => notes('effects-passed'), poll).toBe(1);
    first.kill();
    const second = await begin({ ...PATIENT, place: 'data' });
    expect(second.runs()).toBe('here');
    await say('two');
    await expect.poll(() => second.done, poll).toEqual(['two']);
  });

  it('goes over at once from a process that stops, and nothing is done twice', async () => {
    const [first, second] = [await begin(PATIENT), await begin(PATIENT)];
    await say('one');
    await expect.poll(() => first.done, poll).toEqual(['one']);
    await first.runtime.stop();
    await say('two');
    await expect.poll(() => second.done, poll).toEqual(['two']);
  });

  it('is marked no more by a process that has lost it', async () => {
    const first = await begin(HASTY);
    const second = await begin(HASTY);
    await say('one');
    await expect.poll(() => first.done, poll).toEqual(['one']);
    await expect.poll(() => notes('effects-passed'), poll).toBe(1);
    const open = first.hold();
    await say('two');
    // It is done here, and cannot be noted before the other one has taken the effect and noted as much.
    await expect.poll(() => [first.done, second.done], poll).toEqual([['one', 'two'], ['two']]);
    await expect.poll(() => notes('effects-passed'), poll).toBe(2);
    open();
    await expect.poll(first.runs, poll).toBe('elsewhere');
    await say('three');
    await expect.poll(() => second.done, poll).toEqual(['two', 'three']);
    await expect.poll(() => notes('effects-passed'), poll).toBe(3);
    const by = (type: string): string[] =>
      store.facts.filter((fact) => fact.type === type).map(({ data }) => (JSON.parse(data) as { by: string }).by);
    const [one, two] = by('effects-taken');
    expect(by('effects-passed')).toEqual([one, two, two]);
    expect(first.done).toEqual(['one', 'two']);
  });

  it('is nobody’s to ask for where one process runs alone', async () => {
    const only = await begin(HASTY);
    await say('one');
    await expect.poll(() => only.done, poll).toEqual(['one']);
    await delay(20);
    expect(store.facts.map(({ type }) => type)).toEqual(['effects-begun', 'effects-taken', 'said', 'effects-passed']);
  });

  it('is divided by its keys where it is to be: half goes to a process that has nothing, and back when that is killed', async () => {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const round = (number: number): Promise<void> => say(...keys.map((key) => `${key} ${number}`));
    const first = await begin(HASTY, undefined, 4);
    await round(0);
    await expect.poll(() => first.done.length, poll).toBe(8);
    const second = await begin(HASTY, undefined, 4);
    const halves = ['elsewhere elsewhere here here', 'here here elsewhere elsewhere'];
    await expect.poll(() => [first.runs(), second.runs()], poll).toEqual(halves);
    for (let number = 1; number < 4; number++) await round(number);
    await expect.poll(() => first.done.length + second.done.length, poll).toBe(32);
    expect(second.done.length).toBeGreaterThan(0);
    const shared = new Set(second.done.map((word) => word[0]));
    for (const key of keys) {
      const numbers = [first, second].map(({ done }) => done.filter((word) => word[0] === key).map((word) => word[2]));
      expect(numbers).toEqual(shared.has(key) ? [['0'], ['1', '2', '3']] : [['0', '1', '2', '3'], []]);
    }
    await expect.poll(() => notes('effects-passed'), poll).toBeGreaterThan(2);
    second.kill();
    await expect.poll(first.runs, poll).toBe('here here here here');
    await round(4);
    await expect.poll(() => first.done.filter((word) => word.endsWith('4')).length, poll).toBe(8);
  });
});
