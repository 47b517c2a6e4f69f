import { expect, it } from 'vitest';
import { MemoryReadModels } from '#testing/memory-read-models';
import { scanPages } from './scan-pages.js';

const names = ['a', 'b', 'c', 'd', 'e'];

async function pagesOf(options: Parameters<typeof scanPages>[2], size: number): Promise<string[]> {
  const store = new MemoryReadModels();
  await store.write([
    ...names.map((name) => ({ collection: 'rows', key: ['x', name], value: name })),
    { collection: 'rows', key: ['y', 'z'], value: 'z' },
  ]);
  const pages: string[] = [];
  for await (const page of scanPages(store, 'rows', options, size)) pages.push(page.map(({ value }) => value).join(''));
  return pages;
}

it('reads every row of a range once, in either direction, whatever the size of a page', async () => {
  expect(await pagesOf({ prefix: ['x'] }, 2)).toEqual(['ab', 'cd', 'e']);
  expect(await pagesOf({ prefix: ['x'], reverse: true }, 2)).toEqual(['ed', 'cb', 'a']);
  expect(await pagesOf({ prefix: ['x'] }, 5)).toEqual(['abcde']);
  expect(await pagesOf({ prefix: ['x'] }, 9)).toEqual(['abcde']);
});

it('keeps to the ends that it is given', async () => {
  expect(await pagesOf({ prefix: ['x'], after: ['x', 'a'], before: ['x', 'e'] }, 2)).toEqual(['bc', 'd']);
  expect(await pagesOf({ prefix: ['x'], after: ['x', 'a'], before: ['x', 'e'], reverse: true }, 2)).toEqual([
    'dc',
    'b',
  ]);
});

it('yields nothing where there is nothing', async () => {
  expect(await pagesOf({ prefix: ['none'] }, 2)).toEqual([]);
});
