import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitsDouble } from './fits-double.js';

describe('fitsDouble', () => {
  it.each(['0', '-0', '0.000', '1.0', '-12e3', '1e15', '0.1', '0.10000000000000001', '0.5e-300', '5e-324', '1.50e+2'])(
    'takes %s, which a double holds',
    (spelling) => expect(fitsDouble(spelling)).toBe(true),
  );

  it.each(['9007199254740991', '-9007199254740991', `0.5${'0'.repeat(200)}`])('takes %s at its bounds', (spelling) =>
    expect(fitsDouble(spelling)).toBe(true),
  );

  it.each([
    '9007199254740992',
    '9007199254740993',
    '-9007199254740993',
    '1e16',
    '1e400',
    '1e-400',
    '4503599627370496.3',
    '0.1234567890123456789',
    '1.2345678901234e-320',
    '851.27398681640624',
    `0.${'1'.repeat(300)}`,
  ])('refuses %s, which a double would change', (spelling) => expect(fitsDouble(spelling)).toBe(false));

  it('takes either of the two numbers that a double lies halfway between', () => {
    // 851.27398681640625, as JSON.stringify and as toFixed write it.
    expect(JSON.stringify(851.27398681640625)).toBe('851.2739868164062');
    expect(['851.2739868164062', '851.2739868164063', '-851.2739868164062'].map(fitsDouble)).toEqual([
      true,
      true,
      true,
    ]);
  });

  it('takes every number of single precision as it is written', () => {
    const floats = fc.float({ noNaN: true, min: -10_000, max: 10_000 });
    fc.assert(fc.property(floats, (float) => fitsDouble(JSON.stringify(float))));
  });

  it('takes every double as it is written', () => {
    const doubles = fc.double({ noNaN: true, min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(doubles, (double) => fitsDouble(JSON.stringify(double)) && fitsDouble(double.toPrecision(17))),
    );
  });
});
