import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { formatHierarchyToken, parseHierarchyToken } from './hierarchy-token.js';

const ASKED = { root: '!space:a.example' as RoomId, maxDepth: 3, suggestedOnly: false };

test('a token of a hierarchy reads back what it was, for the same question alone', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^![A-Za-z0-9]{1,40}(:a\.example)?$/), (room) => {
      const token = formatHierarchyToken({ ...ASKED, last: room as RoomId });
      expect(parseHierarchyToken(token, ASKED)).toEqual({ ...ASKED, last: room });
      expect(() => parseHierarchyToken(token, { ...ASKED, maxDepth: 4 })).toThrow(MatrixError);
    }),
  );
});

test('any other text is refused by the standard error', () => {
  const encoded = fc.json().map((json) => Buffer.from(json).toString('base64url'));
  const nearly = fc
    .array(fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(...Object.values(ASKED))), { maxLength: 6 })
    .map((values) => Buffer.from(JSON.stringify(values)).toString('base64url'));
  fc.assert(
    fc.property(fc.oneof(fc.string(), encoded, nearly), (text) => {
      try {
        expect(parseHierarchyToken(text, ASKED)).toMatchObject(ASKED);
      } catch (error) {
        expect(error).toBeInstanceOf(MatrixError);
        expect((error as MatrixError).errcode).toBe('M_INVALID_PARAM');
      }
    }),
    { numRuns: 1000 },
  );
});
