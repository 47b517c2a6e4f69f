import { describe, expect, it } from 'vitest';
import { catalogueOf, checkCatalogue } from './catalogue.js';

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

  it('takes what a projector declares for its own', () => {
    const declares = { name: 'c', collections: ['mine'], declared: [{ name: 'mine', key: ['x'], says: 'all' }] };
    const others = [
      { name: 'a', collections: ['one'] },
      { name: 'b', collections: ['two'] },
    ];
    checkCatalogue([...others, declares], catalogue);
    expect(catalogueOf([...others, declares], catalogue)).toEqual({
      ...catalogue,
      mine: { owner: 'c', key: ['x'], value: 'all' },
    });
    expect(() => checkCatalogue([...others, { ...declares, declared: [] }], catalogue)).toThrow('not in the catalogue');
  });

  it('names collections that are unknown, of somebody else, owned twice or left alone', () => {
    expect(check(['one', 'three'], ['two'])).toThrow('three, owned by a, is not in the catalogue');
    expect(check(['one'], ['two', 'kept'])).toThrow('kept belongs to the write side, not to b');
    expect(check(['one'], ['two', 'one'])).toThrow('one is owned by a and by b');
    expect(check(['one'], [])).toThrow('nobody writes two: b should');
  });
});
