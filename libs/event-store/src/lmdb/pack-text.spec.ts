import { array, assert, oneof, property, string, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numbersFrom } from '#testing/numbers-from';
import { FAMILIAR_TEXT } from './familiar-text.js';
import { MOST_PACKED, NotPacked, roomFor, TextPacker } from './pack-text.js';

const packer = new TextPacker();

function pack(...texts: string[]): Buffer {
  const bytes = Buffer.byteLength(texts.join(''));
  const target = Buffer.alloc(3 + roomFor(bytes));
  packer.begin('');
  const added = texts.map((text) => packer.add(text));
  expect(added).toEqual(texts.map((text) => Buffer.byteLength(text)));
  return target.subarray(3, packer.pack(target, 3));
}

function unpack(packed: Buffer, bytes: number): string {
  const shared = Buffer.concat([Buffer.from('before'), packed, Buffer.from('after')]);
  return packer.unpack(shared, 6, 6 + packed.length, bytes).toString();
}

describe('packed text', () => {
  it('is the text again, whatever was packed before', () => {
    const word = oneof(
      string(),
      string({ unit: 'grapheme' }),
      string({ unit: 'grapheme' }).map((some) => some.repeat(300)),
    );
    assert(
      property(array(word, { maxLength: 20 }), array(word, { maxLength: 20 }), (first, second) => {
        const text = [...first, ...second, ...first].join('').slice(0, 15_000).toWellFormed();
        const packed = pack(text, 'end');
        expect(packed.length).toBeLessThanOrEqual(roomFor(Buffer.byteLength(`${text}end`)));
        pack(second.join('').slice(0, 1000));
        expect(unpack(packed, Buffer.byteLength(`${text}end`))).toBe(`${text}end`);
      }),
    );
  });

  it('takes texts as long as can be', () => {
    for (const text of [
      'x'.repeat(MOST_PACKED),
      Array.from({ length: MOST_PACKED }, (_, i) => (i * i) % 10).join(''),
    ]) {
      expect(unpack(pack(text), MOST_PACKED)).toBe(text);
    }
  });

  it('is the text again where something long that looks random comes twice, as in a text and the same with its format', () => {
    const next = numbersFrom(7);
    for (let length = 100; length <= 4_000; length += 100) {
      const words = Array.from({ length }, () => String.fromCodePoint(0x21 + next(0x5e))).join('');
      const text = `${words},${words}`;
      expect(unpack(pack(text), text.length)).toBe(text);
    }
  });

  it('takes few bytes for what stood there before, or is familiar', () => {
    expect(pack('abcdefghij'.repeat(12)).length).toBe(11 + 3);
    expect(pack(FAMILIAR_TEXT.slice(-40)).length).toBe(3);
  });

  it('refuses bytes that are no packed text', () => {
    assert(
      property(uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          expect(Buffer.byteLength(unpack(Buffer.from(bytes), 50))).toBeGreaterThanOrEqual(50);
        } catch (error) {
          expect(error).toBeInstanceOf(NotPacked);
        }
      }),
    );
    const packed = pack('abcdefghij'.repeat(12));
    expect(() => unpack(packed, 119)).toThrow(NotPacked);
    expect(() => unpack(packed, 121)).toThrow(NotPacked);
    expect(() => unpack(packed.subarray(0, -1), 120)).toThrow(NotPacked);
    expect(() => unpack(Buffer.from([0x80, 0xff, 0xff]), 4)).toThrow(NotPacked);
  });
});
