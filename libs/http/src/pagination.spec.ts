import { describe, expect, it } from 'vitest';
import { MatrixError } from '#kernel/matrix-error';
import { type PageParameters, pageOfList, planPage, type Places, readPageParameters } from './pagination.js';

const places: Places<number> = {
  find: (token) => (/^\d+$/.test(token) ? Number(token) : undefined),
  compare: (a, b) => a - b,
};
const NONE: PageParameters = { from: undefined, to: undefined, limit: undefined, dir: undefined };
const plan = (parameters: Partial<PageParameters>) => planPage({ ...NONE, ...parameters }, places);

/** E1 to E15 of the specification's example, each with a token of its own number. */
const events = Array.from({ length: 15 }, (_, i) => i + 1);
const page = (parameters: Partial<PageParameters>) => pageOfList(events, plan(parameters), (event) => event, places);

describe('pagination of API v1', () => {
  it('answers everything when nothing is asked', () => {
    expect(page({}).items).toEqual(events);
  });

  it('answers the last five events, newest first, from END to START', () => {
    const { items, start, end } = page({ from: 'END', to: 'START', limit: 5 });
    expect(items).toEqual([15, 14, 13, 12, 11]);
    expect({ start, end }).toEqual({ start: 11, end: 15 });
  });

  it('goes on behind a token, which is exclusive, in both directions', () => {
    expect(page({ from: '9', to: 'END', limit: 5 }).items).toEqual([10, 11, 12, 13, 14]);
    expect(page({ from: '11', to: 'START', limit: 5 }).items).toEqual([10, 9, 8, 7, 6]);
    expect(page({ from: '3', to: '7' }).items).toEqual([4, 5, 6]);
    expect(page({ from: '7', to: '3' }).items).toEqual([6, 5, 4]);
  });

  it('leads through the whole list by start and by end', () => {
    const forwards: number[] = [];
    for (let from = 'START'; ;) {
      const { items, end } = page({ from, to: 'END', limit: 4 });
      if (items.length === 0) break;
      forwards.push(...items);
      from = String(end);
    }
    expect(forwards).toEqual(events);
    const backwards: number[] = [];
    for (let from = 'END'; ;) {
      const { items, start } = page({ from, to: 'START', limit: 4 });
      if (items.length === 0) break;
      backwards.push(...items);
      from = String(start);
    }
    expect(backwards).toEqual(events.toReversed());
  });

  it('has start where it began and end where it goes on, for clients that say a direction', () => {
    expect(page({ dir: 'b', limit: 3 })).toEqual({ items: [15, 14, 13], start: 'END', end: 13 });
    expect(page({ dir: 'f', from: '2', limit: 3 })).toEqual({ items: [3, 4, 5], start: 2, end: 5 });
  });

  it('answers an empty page where there is nothing more, and stays where it is', () => {
    expect(page({ from: '15', to: 'END' })).toEqual({ items: [], start: 15, end: 15 });
    expect(page({ from: 'START', to: 'START' }).items).toEqual([]);
  });

  it('refuses what is no token, no number, no direction, or leads away', () => {
    const refused = (run: () => unknown) => {
      expect(run).toThrow(expect.objectContaining({ errcode: 'M_BAD_PAGINATION' }) as unknown as MatrixError);
    };
    refused(() => plan({ from: 'x' }));
    refused(() => plan({ from: '3', to: '7', dir: 'b' }));
    refused(() => readPageParameters({ limit: '-1' }));
    refused(() => readPageParameters({ limit: 'ten' }));
    refused(() => readPageParameters({ dir: 'up' }));
  });
});
