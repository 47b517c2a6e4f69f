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
