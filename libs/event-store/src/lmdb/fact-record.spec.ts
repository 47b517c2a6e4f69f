import { assert, integer, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { positionOf } from './counted-position.js';
import { decodeFact, encodeFact, placeFact, TRUNCATED_RECORD } from './fact-record.js';

const metadata = { at: 1.5, actor: '@zoë:example.org', schema: 1, chain: 'abc' };

describe('fact record', () => {
  it('gives back every fact and its place', () => {
    const text = string({ unit: 'grapheme' });
    assert(
      property(
        string({ maxLength: 60 }),
        text,
        text,
        integer({ min: 0, max: 0xffffffff }),
        integer({ min: 0, max: 0xffffffff }),
        integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        (id, type, data, stream, revision, position) => {
          const record = encodeFact({ id, type, data, metadata });
          placeFact(record, stream, revision, position);
          // As lmdb hands it over: at the beginning of a larger buffer.
          const shared = Buffer.concat([record, Buffer.from('left over')]);
          expect(decodeFact(shared, record.length, (number) => `stream ${number}`)).toEqual({
            id,
            type,
            data,
            metadata,
            stream: `stream ${stream}`,
            revision,
            position: positionOf(position),
          });
        },
      ),
    );
  });

  it('refuses what it cannot hold and what it does not know', () => {
    expect(() => encodeFact({ id: 'x'.repeat(256), type: 't', data: '', metadata })).toThrow(RangeError);
    expect(() => encodeFact({ id: 'x', type: 't'.repeat(65_536), data: '', metadata })).toThrow(RangeError);
    const record = encodeFact({ id: 'x', type: 't', data: '', metadata });
    record[0] = 2;
    expect(() => decodeFact(record, record.length, String)).toThrow('layout');
  });

  it('finds nothing in what is left of a fact that was truncated', () => {
    expect(decodeFact(TRUNCATED_RECORD, TRUNCATED_RECORD.length, String)).toBeNull();
  });

  it('quotes nothing of what is damaged', () => {
    const record = encodeFact({ id: 'x', type: 't', data: '', metadata });
    record[record.indexOf('"actor":') + '"actor":'.length] = 0;
    expect(() => decodeFact(record, record.length, String)).toThrow(/^The metadata of a fact are no JSON$/);
  });
});
