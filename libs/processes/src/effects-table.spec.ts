import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Effect } from '#projections/effects/effect';
import { EFFECTS } from './processes.module.js';

test('the README names every effect, and no other', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const told = [...readme.matchAll(/^\| `([a-z-]+)`/gm)].map(([, name]) => name);
  // No name depends on what the effect is given.
  const names = EFFECTS.map((effect) => (Reflect.construct(effect, []) as Effect).name);
  expect(told.toSorted()).toEqual(names.toSorted());
});
