import { expect, test } from 'vitest';
import { LruCache } from './lru-cache.js';

test('the entries used last are kept', () => {
  const cache = new LruCache<string, number>(2);
  cache.set('a', 1);
  cache.set('b', 2);
  cache.get('a');
  cache.set('c', 3);
  expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([1, undefined, 3]);
});

test('setting a key anew takes no second place', () => {
  const cache = new LruCache<string, number>(2);
  cache.set('a', 1);
  cache.set('b', 2);
  cache.set('a', 3);
  expect([cache.size, cache.get('a'), cache.get('b')]).toEqual([2, 3, 2]);
});

test('what was deleted is gone', () => {
  const cache = new LruCache<string, number>(2);
  cache.set('a', 1);
  cache.delete('a');
  expect([cache.size, cache.get('a')]).toEqual([0, undefined]);
});

test('it counts what was found, what was not, and what gave way', () => {
  const cache = new LruCache<string, number>(1);
  cache.set('a', 1);
  cache.get('a');
  cache.get('b');
  cache.set('b', 2);
  cache.delete('b');
  expect(cache.numbers).toEqual({ size: 0, capacity: 1, hits: 1, misses: 1, evictions: 1 });
});

test('entries give way by their weight, too, also where one is set anew heavier', () => {
  const cache = new LruCache<string, string>(10, { most: 5, weigh: (text) => text.length });
  cache.set('a', 'aa');
  cache.set('b', 'bb');
  cache.delete('a');
  cache.set('c', 'ccc');
  expect([cache.get('b'), cache.get('c')]).toEqual(['bb', 'ccc']);
  cache.set('b', 'bbb');
  expect([cache.size, cache.get('c'), cache.get('b')]).toEqual([1, undefined, 'bbb']);
  cache.set('d', 'dddddd');
  expect([cache.size, cache.numbers.evictions]).toEqual([0, 3]);
  cache.set('e', 'eeeee');
  expect(cache.get('e')).toBe('eeeee');
});
