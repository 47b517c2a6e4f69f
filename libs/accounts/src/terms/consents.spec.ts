import { expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { refuseSuspended } from '#kernel/refuse-suspended';
import { MatrixError } from '#kernel/matrix-error';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { Consents } from './consents.js';
import type { Terms } from './terms.js';

const ALICE = '@alice:a.example' as UserId;
const DAY_MS = 24 * 60 * 60 * 1000;

it('a link by which terms are accepted is good for a day, and each refusal has one of its own, which its text does not have', () => {
  let now = 1_000;
  const terms = { missing: () => [{}] } as unknown as Terms;
  const config = { publicUrl: 'https://a.example', areTermsRequired: true };
  const consents = new Consents(generateSigningKey(), terms, { now: () => now }, config);
  const consentUri = consents.findLink(ALICE, undefined);
  const refuse = (): MatrixError => {
    try {
      refuseSuspended({ consentUri });
    } catch (error) {
      if (error instanceof MatrixError) return error;
    }
    throw new Error('it was not refused');
  };
  const linkIn = ({ fields }: MatrixError): string =>
    new URL(String(fields?.['consent_uri'])).searchParams.get('link')!;
  const first = refuse();
  expect(first).toMatchObject({ errcode: 'M_CONSENT_NOT_GIVEN' });
  expect(first.message).not.toContain('http');
  expect(consents.open(linkIn(first))).toEqual({ userId: ALICE });
  now += DAY_MS - 1;
  expect(consents.open(linkIn(first))).toEqual({ userId: ALICE });
  const second = refuse();
  now += 1;
  expect(consents.open(linkIn(first))).toBeUndefined();
  expect(consents.open(linkIn(second))).toEqual({ userId: ALICE });
});
