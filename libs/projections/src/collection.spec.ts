import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryReadModels } from '#testing/memory-read-models';
import { BatchRows } from './batch-rows.js';
import { asJson, asMark, asNumber, asText, Collection, owning } from './collection.js';

const PETS = new Collection<readonly [owner: string, name: string], { readonly age: number }>('pets', {
  key: ['owner', 'name'],
  says: 'how old it is',
  codec: asJson(),
});
const NICKNAMES = new Collection<readonly [name: string], string>('nicknames', {
  key: ['name'],
  says: 'what it is called',
  codec: asText(),
});
const WEIGHTS = new Collection<readonly [name: string], number>('weights', {
  key: ['name'],
  says: 'kg',
  codec: asNumber,
});
const FED = new Collection<readonly [name: string], true>('fed', { key: ['name'], says: 'that it was', codec: asMark });

let views: MemoryReadModels;
beforeEach(async () => {
  views = new MemoryReadModels();
  const { collections } = owning(PETS, NICKNAMES, WEIGHTS, FED);
  const rows = new BatchRows(views, new Map(collections.map((name) => [name, name])));
  for (const [name, age] of [['Ada', 3], ['Bo', 5], ['Cy', 7]] as const) PETS.put(rows, ['ann', name], { age }); // prettier-ignore
  PETS.put(rows, ['bob', 'Dee'], { age: 1 });
  NICKNAMES.put(rows, ['Ada'], 'Queen "A"');
  WEIGHTS.put(rows, ['Ada'], 4.5);
  FED.put(rows, ['Ada'], true);
  FED.put(rows, ['Bo'], true);
  FED.delete(rows, ['Bo']);
  await views.write(rows.writes);
});

describe('a collection', () => {
  it('reads what was put, as values under typed keys', async () => {
    expect(await PETS.get(views, ['ann', 'Bo'])).toEqual({ age: 5 });
    expect(await PETS.get(views, ['ann', 'Dee'])).toBeUndefined();
    expect(await PETS.getMany(views, [['bob', 'Dee'], ['bob', 'Bo'], ['ann', 'Ada']])).toEqual([{ age: 1 }, undefined, { age: 3 }]); // prettier-ignore
    expect(await NICKNAMES.get(views, ['Ada'])).toBe('Queen "A"');
    expect(await NICKNAMES.scan(views, { limit: 9 })).toEqual([{ key: ['Ada'], value: 'Queen "A"' }]);
    expect(await WEIGHTS.get(views, ['Ada'])).toBe(4.5);
    expect([await FED.has(views, ['Ada']), await FED.has(views, ['Bo'])]).toEqual([true, false]);
  });

  it('reads ranges, at once or page by page', async () => {
    const ages = (entries: readonly { readonly value: { readonly age: number } }[]) =>
      entries.map(({ value }) => value.age);
    expect(await PETS.scan(views, { prefix: ['bob'], limit: 9 })).toEqual([{ key: ['bob', 'Dee'], value: { age: 1 } }]);
    expect(ages(await PETS.scan(views, { after: ['ann', 'Ada'], to: ['ann', 'Cy'], limit: 9 }))).toEqual([5, 7]);
    expect(ages(await PETS.scan(views, { reverse: true, limit: 2 }))).toEqual([1, 7]);
    const pages: number[][] = [];
    for await (const page of PETS.pages(views, { prefix: ['ann'] }, 2)) pages.push(ages(page));
    expect(pages).toEqual([[3, 5], [7]]);
  });
});
