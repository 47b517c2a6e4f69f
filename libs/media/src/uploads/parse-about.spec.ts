import { describe, expect, it } from 'vitest';
import { readName, readType } from './parse-about.js';

describe('what is said of content', () => {
  it('is its type, where that is one', () => {
    for (const type of [
      'image/png',
      'text/plain; charset=utf-8',
      'text/plain;charset="utf-8"',
      'application/x.a+b-c',
    ]) {
      expect(readType(type)).toBe(type);
    }
    expect(readType(' image/png ')).toBe('image/png');
    const bad = [
      '',
      'png',
      'image/',
      'image/png\r\nset-cookie: a=b',
      'image/png; a',
      'image/p ng',
      'a/b;c="\r\n"',
      'ä/ö',
    ];
    for (const type of [undefined, ...bad, `image/${'x'.repeat(300)}`]) expect(readType(type)).toBeUndefined();
  });

  it('is its name, in any script, without what nobody sees', () => {
    expect(readName('Bild von März 🎉.png')).toBe('Bild von März 🎉.png');
    expect(readName('a\r\nb\0c\t.txt')).toBe('abc.txt');
    expect(readName('invoice\u202Egnp.exe')).toBe('invoicegnp.exe');
    expect(readName('half\uD83D')).toBe('half');
    expect(readName('\r\n')).toBeUndefined();
    expect(readName(undefined)).toBeUndefined();
    expect([...readName('🎉'.repeat(1000))!]).toHaveLength(255);
  });
});
