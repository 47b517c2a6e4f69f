import { expect, test } from 'vitest';
import { keyFor } from './key-for.js';
import { openText, sealText } from './sealed-text.js';

const key = keyFor('a secret', 'test');

test('a text is read with its key alone, and as it was written', () => {
  const sealed = sealText(key, 'päßword');
  expect(openText(key, sealed)).toBe('päßword');
  expect(sealText(key, 'päßword')).not.toBe(sealed);
  expect(openText(keyFor('a secret', 'another test'), sealed)).toBeUndefined();
  expect(openText(key, sealText(key, 'text', 'one use'), 'one use')).toBe('text');
  expect(openText(key, sealText(key, 'text', 'one use'), 'another')).toBeUndefined();
  for (const forged of [sealed.slice(0, -2), '', 'x']) expect(openText(key, forged)).toBeUndefined();
  const bytes = Buffer.from(sealed, 'base64url');
  for (const [at, byte] of bytes.entries())
    expect(openText(key, Buffer.from(bytes.with(at, byte ^ 1)).toString('base64url'))).toBeUndefined();
});
