import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonNumber, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { nestsDeeper } from './nests-deeper.js';
import { parseJson } from './parse-json.js';

function isRefused(text: string, maxDepth: number): boolean {
  try {
    parseJson(text, { maxDepth, lenient: true });
    return false;
  } catch (error) {
    if (error instanceof MatrixError && error.message === 'Nested too deeply') return true;
    throw error;
  }
}

describe('how deep JSON nests', () => {
  it('is what the parser counts', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.integer({ min: 0, max: 7 }), (text, most) => {
        expect(nestsDeeper(JSON.parse(text) as JsonValue, most)).toBe(isRefused(text, most));
      }),
    );
  });

  it('is nothing for a number that keeps its spelling', () => {
    expect(nestsDeeper(new JsonNumber('1.50'), 0)).toBe(false);
  });
});
