import { describe, expect, it } from 'vitest';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { Sealer } from './sealer.js';

const time = { now: 1_000 };
const clock = { now: () => time.now };
const key = generateSigningKey();
const sealer = new Sealer(key, clock);

describe('what is sealed', () => {
  it('is opened with the same key, for the same use, in its time', () => {
    const sealed = sealer.seal('a use', { a: ['b'] }, 500);
    expect(sealed).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(new Sealer(key, clock).open('a use', sealed)).toEqual({ a: ['b'] });
    expect(sealer.open('another', sealed)).toBeUndefined();
    expect(new Sealer(generateSigningKey(), clock).open('a use', sealed)).toBeUndefined();
    time.now += 500;
    expect(sealer.open('a use', sealed)).toBeUndefined();
  });

  it('is not opened once a single bit of it is another', () => {
    const bytes = Buffer.from(sealer.seal('a use', 'text', 500), 'base64url');
    for (const at of bytes.keys()) {
      const other = Buffer.from(bytes);
      other[at]! ^= 1;
      expect(sealer.open('a use', other.toString('base64url'))).toBeUndefined();
    }
    for (const none of ['', 'x', 'x'.repeat(100)]) expect(sealer.open('a use', none)).toBeUndefined();
  });
});
