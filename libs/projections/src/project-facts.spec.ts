import { expect, test } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { BatchRows } from './batch-rows.js';
import { projectSideBySide, type Work } from './project-facts.js';
import { Turn } from './turn.js';

const FACTS = ['a', 'b', 'c'].map((type) => ({ type }) as RecordedFact);

/** A turn that is over after each fact, or never. */
class ShortTurn extends Turn {
  constructor(private readonly isShort: boolean) {
    super();
  }

  override isOver(): boolean {
    return this.isShort;
  }
}

/** One that notes what it is given, by its name. */
function noting(
  name: string,
  noted: string[],
  take: (type: string) => void | Promise<void> = () => {},
  types = 'abc',
): Work {
  return {
    projector: {
      name,
      version: 1,
      collections: [],
      handles: (type) => types.includes(type),
      project(fact) {
        noted.push(`${name}${fact.type}`);
        return take(fact.type);
      },
    },
    rows: new BatchRows(new MemoryReadModels(), new Map()),
    onBadFact: (_, error) => {
      throw error;
    },
    pending: undefined,
  };
}

test('each fact goes to all that handle it before the next one does', () => {
  const noted: string[] = [];
  const works = [noting('1', noted), noting('2', noted, undefined, 'b'), noting('3', noted)];
  expect(projectSideBySide(works, FACTS, new ShortTurn(false), false)).toBeUndefined();
  expect(noted).toEqual(['1a', '3a', '1b', '2b', '3b', '1c', '3c']);
  expect(works.map(({ pending }) => pending)).toEqual([undefined, undefined, undefined]);
});

test('one that has to wait goes on by itself, with the facts in their order, and nobody waits for it', async () => {
  const noted: string[] = [];
  let go = (): void => {};
  const gate = new Promise<void>((resolve) => (go = resolve));
  const works = [noting('1', noted, (type) => (type === 'b' ? gate : undefined)), noting('2', noted)];
  expect(projectSideBySide(works, FACTS, new ShortTurn(false), true)).toBeUndefined();
  expect(noted).toEqual(['1a', '2a', '1b', '2b', '2c']);
  go();
  await works[0]!.pending;
  expect(noted.at(-1)).toBe('1c');
});

test('where the event loop needs a break, all go on by themselves, or together where they are to', async () => {
  for (const isTogether of [false, true]) {
    const noted: string[] = [];
    const works = [noting('1', noted), noting('2', noted)];
    const begun = projectSideBySide(works, FACTS, new ShortTurn(true), isTogether);
    expect(noted).toEqual(['1a', '2a']);
    expect([begun === undefined, works[0]!.pending === undefined]).toEqual([!isTogether, isTogether]);
    await Promise.all([begun, ...works.map(({ pending }) => pending)]);
    expect(noted.toSorted()).toEqual(['1a', '1b', '1c', '2a', '2b', '2c']);
  }
});

test('the failure of one is told to who waits for it, and stops nobody else', async () => {
  const noted: string[] = [];
  const fail = (): never => {
    throw new Error('no rows');
  };
  const works = [noting('1', noted, fail), noting('2', noted)];
  await projectSideBySide(works, FACTS, new ShortTurn(true), true);
  await expect(works[0]!.pending).rejects.toThrow('no rows');
  expect(noted).toEqual(['1a', '2a', '2b', '2c']);
});
