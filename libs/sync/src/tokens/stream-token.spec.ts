import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { positionOf } from '#kernel/position';
import { findStreamToken, formatStreamToken, parseStreamToken } from './stream-token.js';

describe('stream tokens', () => {
  it('read back what they were', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (position, sequence) => {
        const token = { position: positionOf(position), sequence };
        expect(findStreamToken(formatStreamToken(token))).toEqual(token);
      }),
    );
  });

  it('refuse what this server never wrote', () => {
    for (const text of [
      '',
      's',
      's1_',
      't1_2',
      's-1_2',
      's1_2_3',
      's1 ',
      'START',
      's99999999999999999_1',
      's9999999999999999_1',
    ]) {
      expect(findStreamToken(text), text).toBeUndefined();
    }
    expect(() => parseStreamToken('s1_x', 'since')).toThrow('since');
  });
});
