import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orderSrv } from './order-srv.js';

const record = (name: string, priority: number, weight: number) => ({ name, port: 1, priority, weight });
const namesOf = (records: readonly ReturnType<typeof record>[], random: () => number): string[] =>
  orderSrv(records, random).map(({ host }) => host);

describe('the order of SRV records', () => {
  it('is that of their priority, whatever their weight', () => {
    const records = [record('late', 20, 100), record('early', 10, 0), record('last', 30, 9)];
    expect(namesOf(records, () => 0.99)).toEqual(['early', 'late', 'last']);
  });

  it('is by chance within a priority, by their weight', () => {
    const records = [record('a', 1, 30), record('b', 1, 10), record('none.', 1, 0)];
    expect(namesOf(records, () => 0)).toEqual(['none', 'b', 'a']);
    expect(namesOf(records, () => 0.2)).toEqual(['b', 'a', 'none']);
    expect(namesOf(records, () => 0.99)).toEqual(['a', 'b', 'none']);
  });

  it('has each record once', () => {
    const any = fc.array(
      fc.record({ name: fc.domain(), port: fc.nat(65_535), priority: fc.nat(3), weight: fc.nat(65_535) }),
      { maxLength: 10 },
    );
    fc.assert(
      fc.property(any, fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })), (records, chances) => {
        const ordered = orderSrv(records, () => chances.next().value as number);
        const sorted = (names: readonly string[]): string[] => names.toSorted();
        expect(sorted(ordered.map(({ host }) => host))).toEqual(sorted(records.map(({ name }) => name)));
      }),
    );
  });
});
