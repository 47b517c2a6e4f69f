import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { formatPublicRoomsToken, parsePublicRoomsToken } from './public-rooms-token.js';

test('a token of the directory reads back what it was', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('next' as const, 'prev' as const),
      fc.constantFrom('before' as const, 'after' as const),
      fc.nat(),
      fc.stringMatching(/^![A-Za-z0-9]{1,40}(:a\.example)?$/),
      (direction, side, members, room) => {
        const token = { direction, side, place: { num_joined_members: members, room_id: room as RoomId } };
        expect(parsePublicRoomsToken(formatPublicRoomsToken(token))).toEqual(token);
      },
    ),
  );
});

test('any other text is refused by the standard error', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[np]?[ab]?\d{0,17}_?[\w-]{0,20}$/)), (text) => {
      try {
        const token = parsePublicRoomsToken(text);
        expect(parsePublicRoomsToken(formatPublicRoomsToken(token))).toEqual(token);
      } catch (error) {
        expect(error).toBeInstanceOf(MatrixError);
        expect((error as MatrixError).errcode).toBe('M_INVALID_PARAM');
      }
    }),
    { numRuns: 1000 },
  );
});
