import { describe, expect, it } from 'vitest';
import { CATALOGUE, checkCatalogue } from './catalogue.js';

const catalogue = {
  one: { owner: 'a', key: ['x'], value: '' },
  two: { owner: 'b', key: ['x'], value: '' },
  kept: { owner: null, key: ['x'], value: '' },
};

const check = (a: string[], b: string[]) => () =>
  checkCatalogue(
    [
      { name: 'a', collections: a },
      { name: 'b', collections: b },
    ],
    catalogue,
  );

describe('checkCatalogue', () => {
  it('is content where each collection has its one owner', () => {
    checkCatalogue(
      [
        { name: 'a', collections: ['one'] },
        { name: 'b', collections: ['two'] },
      ],
      catalogue,
    );
  });

  it('names collections that are unknown, of somebody else, owned twice or left alone', () => {
    expect(check(['one', 'three'], ['two'])).toThrow('three, owned by a, is not in the catalogue');
    expect(check(['one'], ['two', 'kept'])).toThrow('kept belongs to the write side, not to b');
    expect(check(['one'], ['two', 'one'])).toThrow('one is owned by a and by b');
    expect(check(['one'], [])).toThrow('nobody writes two: b should');
  });
});

describe('CATALOGUE', () => {
  it('holds names that every store takes', () => {
    for (const name of Object.keys(CATALOGUE)) expect(name).toMatch(/^[a-z][a-z0-9-]{0,39}$/);
  });

  it('names the parts of each key', () => {
    for (const { key } of Object.values(CATALOGUE)) expect(key.length).toBeGreaterThan(0);
  });
});
