import { expect, it } from 'vitest';
import { KeyedNames } from './keyed-names.js';

it('names the same in the same way by one key, and in another way by another, or as what it is of another kind', () => {
  const names = new KeyedNames(new Uint8Array(32).fill(1));
  const again = new KeyedNames(new Uint8Array(32).fill(1));
  const others = new KeyedNames(new Uint8Array(32).fill(2));
  const all = [
    names.nameOf('number', '4915112345678'),
    others.nameOf('number', '4915112345678'),
    names.nameOf('mailbox', '4915112345678'),
    names.nameOf('number', '4915112345679'),
  ];
  expect(again.nameOf('number', '4915112345678')).toBe(all[0]);
  expect(new Set(all).size).toBe(4);
  for (const name of all) expect(name).toMatch(/^[0-9a-f]{64}$/);
});
