import { expect, it, vi } from 'vitest';
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

it('lets other work have its turn behind a page that took long', async () => {
  const store = new MemoryReadModels();
  await store.write(names.map((name) => ({ collection: 'rows', key: [name], value: name })));
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  const slow = {
    scan: (...asked: Parameters<typeof store.scan>) => {
      now += 100;
      return store.scan(...asked);
    },
  };
  const order: string[] = [];
  setImmediate(() => order.push('other work'));
  for await (const page of scanPages(slow, 'rows', {}, 3)) order.push(page.map(({ value }) => value).join(''));
  expect(order).toEqual(['abc', 'other work', 'de']);
  clock.mockRestore();
});
