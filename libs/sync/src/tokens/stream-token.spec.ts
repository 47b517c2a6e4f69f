import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_TYPING, type TypingMark, typingHashOf } from '#ephemeral/typing/typing-mark';
import type { RoomId } from '#kernel/ids';
import { positionOf } from '#testing/position-of';
import { findStreamToken, formatStreamToken, parseStreamToken } from './stream-token.js';

const hash = fc.string().map((roomId) => typingHashOf(roomId as RoomId));
const typing: fc.Arbitrary<TypingMark> = fc.oneof(
  fc.constant(NO_TYPING),
  fc.record({
    run: hash,
    sequence: fc.maxSafeNat().map((n) => n % 1e15),
    rooms: fc.oneof(fc.constant('all' as const), fc.array(hash, { maxLength: 32 })),
  }),
);

describe('stream tokens', () => {
  it('read back what they were', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), typing, (position, mark) => {
        const token = { position: positionOf(position), typing: mark };
        expect(findStreamToken(formatStreamToken(token))).toEqual(token);
        expect(formatStreamToken(token)).toBe(encodeURIComponent(formatStreamToken(token)));
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
      's1_2',
      's1_abcdef01',
      's1_abcdef01.',
      's1_abcdef01.5.',
      's1_abcdef01.5.abc',
      's1_abcdef01.5.any',
      's1 ',
      'START',
      's9223372036854775808_0',
      's00000000000000000001_0',
      'sb1_0',
    ]) {
      expect(findStreamToken(text), text).toBeUndefined();
    }
    expect(() => parseStreamToken('s1_x', 'since')).toThrow('since');
  });
});
