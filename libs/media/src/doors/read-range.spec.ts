import { describe, expect, it } from 'vitest';
import { readRange, UNSATISFIABLE } from './read-range.js';

describe('a range', () => {
  it('is from one byte to another, to the end, or of so many at the end', () => {
    expect(readRange('bytes=0-0', 10)).toEqual({ first: 0, last: 0 });
    expect(readRange('bytes=3-5', 10)).toEqual({ first: 3, last: 5 });
    expect(readRange('bytes=3-', 10)).toEqual({ first: 3, last: 9 });
    expect(readRange('bytes=3-99', 10)).toEqual({ first: 3, last: 9 });
    expect(readRange('bytes=-4', 10)).toEqual({ first: 6, last: 9 });
    expect(readRange('bytes=-99', 10)).toEqual({ first: 0, last: 9 });
  });

  it('cannot be given where it holds no byte', () => {
    for (const header of ['bytes=10-', 'bytes=10-12', 'bytes=-0']) expect(readRange(header, 10)).toBe(UNSATISFIABLE);
    for (const header of ['bytes=0-', 'bytes=-5']) expect(readRange(header, 0)).toBe(UNSATISFIABLE);
  });

  it('is passed over where it is none, or several', () => {
    const none = [undefined, '', 'bytes', 'bytes=', 'bytes=-', 'bytes=5-3', 'bytes=0-1,3-4', 'items=0-1', 'bytes=a-b'];
    for (const header of [...none, `bytes=0-${'9'.repeat(40)}`]) expect(readRange(header, 10)).toBeUndefined();
  });
});
