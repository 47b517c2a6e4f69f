import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readWebToken, signWebToken } from './web-token.js';

const NOW = 1_726_760_839;
const CLAIMS = { iss: 'devkey', nbf: NOW, exp: NOW + 60 };
const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const signedBy = (header: object, claims: object, secret: string): string => {
  const text = `${encoded(header)}.${encoded(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
};

describe('a token', () => {
  // RFC 7515, appendix A.1, whose claims and key are other people's.
  it('is read as others write it', () => {
    const key = Buffer.from(
      'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
      'base64url',
    );
    const text = 'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'; // prettier-ignore
    expect(createHmac('sha256', key).update(text).digest('base64url')).toBe(
      'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
    );
    expect(readWebToken(signWebToken(CLAIMS, 'secret'), 'secret', NOW)).toEqual(CLAIMS);
    expect(readWebToken(signedBy({ typ: 'JWT', alg: 'HS256' }, CLAIMS, 'secret'), 'secret', NOW)).toEqual(CLAIMS);
  });

  it.each([
    ['of another secret', signWebToken(CLAIMS, 'other')],
    ['that has ended', signWebToken({ ...CLAIMS, exp: NOW }, 'secret')],
    ['that has not begun', signWebToken({ ...CLAIMS, nbf: NOW + 1 }, 'secret')],
    ['that never ends', signWebToken({ iss: 'devkey' }, 'secret')],
    ['by another algorithm', signedBy({ alg: 'none' }, CLAIMS, 'secret')],
    ['that was changed', `${encoded({ alg: 'HS256' })}.${encoded({ ...CLAIMS, iss: 'x' })}.${signWebToken(CLAIMS, 'secret').split('.')[2]}`], // prettier-ignore
    ['without a signature', signWebToken(CLAIMS, 'secret').split('.').slice(0, 2).join('.')],
    ['with more behind it', `${signWebToken(CLAIMS, 'secret')}.x`],
    ['of no JSON', signedBy({ alg: 'HS256' }, [], 'secret')],
    ['of nothing', ''],
  ])('is none: one %s', (_, token) => {
    expect(readWebToken(token, 'secret', NOW)).toBeUndefined();
  });
});
