import { expect, it } from 'vitest';
import { Counted } from './counted.js';

it('lets so many of each key begin, and another once one has ended', () => {
  const counted = new Counted<string>();
  expect([counted.begin('a', 2), counted.begin('a', 2), counted.begin('a', 2)]).toEqual([true, true, false]);
  expect(counted.begin('b', 2)).toBe(true);
  counted.end('a');
  expect([counted.begin('a', 2), counted.begin('a', 2)]).toEqual([true, false]);
});

it('bears the end of what was not begun', () => {
  const counted = new Counted<string>();
  counted.end('a');
  expect([counted.begin('a', 1), counted.begin('a', 1)]).toEqual([true, false]);
});
