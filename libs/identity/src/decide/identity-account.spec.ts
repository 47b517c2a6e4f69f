import { expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { IdentityReader } from '../facts/identity-facts.js';
import { decideAccountEnd, foldIdentityAccount, NO_IDENTITY_ACCOUNT } from './identity-account.js';

const BOB = '@bob:b.example' as UserId;
const of = (readers: readonly IdentityReader[]) => ({ ...NO_IDENTITY_ACCOUNT, readers });

it('ends with all that names others: whom they let find them', () => {
  const account = of(['contacts', BOB]);
  const facts = decideAccountEnd(account);
  expect(facts).toEqual([{ type: 'identity-readers-set', data: { readers: [] } }]);
  const folded = facts.map(({ type, data }) => ({ type, data: JSON.stringify(data) }));
  expect(decideAccountEnd(folded.reduce(foldIdentityAccount, account))).toEqual([]);
});

it.each([[[]], [['everybody']], [['contacts']]] as IdentityReader[][][])('leaves %j as it is', (readers) =>
  expect(decideAccountEnd(of(readers))).toEqual([]),
);
