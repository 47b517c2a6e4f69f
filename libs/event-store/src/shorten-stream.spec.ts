import { beforeEach, expect, test } from 'vitest';
import { CountingEventStore } from '#testing/counting-event-store';
import { Aggregates, type AggregatesOptions } from './aggregates.js';
import type { RecordedFact } from './event-store.js';
import { factId } from './fact-id.js';
import type { Position } from '#kernel/position';
import { verifyChain } from './seal-facts.js';
import { isSaidAgain, sayAgainWhatCounts } from './shorten-stream.js';

let store: CountingEventStore;
let now: number;
beforeEach(() => {
  store = new CountingEventStore();
  now = 0;
});

const keyOf = ({ data }: Pick<RecordedFact, 'data'>): string => (JSON.parse(data) as string[])[0]!;

const findNamedOver = (counting: ReadonlyMap<string, RecordedFact>): string[] =>
  [...counting.keys()].filter((key) => key.startsWith('over'));

function marks(options: Pick<AggregatesOptions<null>, 'findOver' | 'whenKept'> = {}): Aggregates<null> {
  const end = { initialState: null, evolve: () => null, newestOnly: true } as const;
  return new Aggregates({ store, clock: { now: () => ++now }, capacity: 10, ...end, lastOfEach: keyOf, ...options });
}

let names = 0;
async function set(aggregates: Aggregates<null>, key: string, value: number, device = 'D'): Promise<void> {
  const draft = { id: factId(String(names++)), type: 'set', data: JSON.stringify([key, value]) };
  await aggregates.execute('s', () => [draft], { actor: 'alice', device });
}

const whatCounts = (): Map<string, string> =>
  new Map(store.facts.map(({ data, metadata }) => [keyOf({ data }), `${data} ${metadata.at} ${metadata.device}`]));

test('a stream is never much longer than twice what counts of it, and what counts is as it was', async () => {
  const aggregates = marks();
  await set(aggregates, 'old', 0, 'PHONE');
  let longest = 0;
  for (let n = 1; n <= 1_600; n++) {
    await set(aggregates, `k${n % 40}`, n);
    longest = Math.max(longest, store.facts.length);
  }
  await aggregates.load('s');
  expect(longest).toBeLessThan(41 + 512 + 41);
  const counts = whatCounts();
  expect(counts.size).toBe(41);
  expect(counts.get('old')).toBe('["old",0] 1 PHONE');
  expect(counts.get('k0')).toBe('["k0",1600] 1601 D');
  const again = store.facts.filter(isSaidAgain);
  expect(again.length).toBeGreaterThan(0);
  expect(new Set(store.facts.map(({ id }) => id)).size).toBe(store.facts.length);
  expect(store.facts.every((fact, i) => i === 0 || verifyChain(store.facts[i - 1]!.metadata.chain, fact))).toBe(true);
});

test('what is over goes with what others have overtaken, but for the last fact, upon which the next is linked', async () => {
  const aggregates = marks({ findOver: findNamedOver });
  await set(aggregates, 'kept', 0);
  for (let n = 1; n <= 512; n++) await set(aggregates, `over ${n}`, n);
  await aggregates.load('s');
  expect([...whatCounts().keys()]).toEqual(['kept', 'over 512']);
  await set(aggregates, 'next', 0);
  expect(store.facts.every((fact, i) => i === 0 || verifyChain(store.facts[i - 1]!.metadata.chain, fact))).toBe(true);
});

test('nothing is said again while most of it counts', async () => {
  const aggregates = marks();
  for (let n = 0; n < 1_100; n++) await set(aggregates, `k${n % 800}`, n);
  await aggregates.load('s');
  expect(store.facts).toHaveLength(1_100);
});

test('nothing goes where another process writes meanwhile, and the next look finds the same', async () => {
  const aggregates = marks();
  for (let n = 0; n < 500; n++) await set(aggregates, 'k', n);
  const counted = whatCounts();
  const append = store.append.bind(store);
  let isOvertaken = false;
  store.append = async (...appended) => {
    if (!isOvertaken) {
      isOvertaken = true;
      await set(marks(), 'k', 501);
    }
    return append(...appended);
  };
  await expect(sayAgainWhatCounts(store, 's', keyOf)).rejects.toMatchObject({ name: 'RevisionConflict' });
  expect(store.facts).toHaveLength(501);
  const over = await sayAgainWhatCounts(store, 's', keyOf);
  await store.truncate('s', over!.before);
  expect(store.facts).toHaveLength(1);
  expect(whatCounts()).not.toEqual(counted);
  expect(store.facts[0]!.data).toBe('["k",501]');
});

test('what others have overtaken goes at once where nothing of it is to stay, however little it is, and once', async () => {
  const aggregates = marks();
  await set(aggregates, 'kept', 0);
  await set(aggregates, 'said', 1);
  await set(aggregates, 'said', 2);
  await aggregates.shorten('s');
  expect(store.facts.map(({ data }) => data)).toEqual(['["kept",0]', '["said",2]']);
  const left = store.facts.map(({ id }) => id);
  await aggregates.shorten('s');
  expect(store.facts.map(({ id }) => id)).toEqual(left);
  await set(aggregates, 'kept', 3);
  expect(store.facts.map(({ data }) => data).at(-1)).toBe('["kept",3]');
});

test('what is over is said again behind what it took away, and goes once the views can do without it, for which nobody who writes waits', async () => {
  const asked: Position[] = [];
  let keep = (): void => {};
  const kept = new Promise<void>((resolve) => (keep = resolve));
  const whenKept = (position: Position): Promise<void> => (asked.push(position), kept);
  const aggregates = marks({ findOver: findNamedOver, whenKept });
  for (const key of ['over 1', 'kept', 'over 2', 'over 1', 'said', 'said']) await set(aggregates, key, now);
  const shortened = aggregates.shorten('s');
  await set(aggregates, 'next', now);
  const keys = (): string[] => store.facts.map(keyOf);
  expect(keys()).toEqual(['over 2', 'over 1', 'kept', 'said', 'next']);
  expect(asked).toEqual([store.facts.at(-2)!.position]);
  keep();
  await shortened;
  expect(keys()).toEqual(['kept', 'said', 'next']);
  expect(store.facts.every((fact, i) => i === 0 || verifyChain(store.facts[i - 1]!.metadata.chain, fact))).toBe(true);
  await aggregates.shorten('s');
  expect([keys(), asked.length]).toEqual([['kept', 'said', 'next'], 1]);
});

test('where nothing is over nobody waits for the views, and where they are waited for nothing is said again meanwhile', async () => {
  const asked: Position[] = [];
  const whenKept = (position: Position): Promise<void> => (asked.push(position), new Promise(() => {}));
  const over = new Set<string>();
  const aggregates = marks({ findOver: () => over, whenKept });
  for (let n = 0; n <= 520; n++) await set(aggregates, 'k', n);
  await aggregates.load('s');
  expect([asked, store.facts.length]).toEqual([[], 9]);
  over.add('k');
  for (let n = 0; n <= 1_100; n++) await set(aggregates, n === 0 ? 'k' : 'l', n);
  await aggregates.load('s');
  expect(asked).toHaveLength(1);
  expect(store.facts.filter(isSaidAgain).map(keyOf)).toEqual(['k', 'l']);
});
