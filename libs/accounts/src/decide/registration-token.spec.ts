import { describe, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { given as givenFacts, type Expectation, type PlainFact } from '#testing/given';
import { draftFacts } from '../accounts.js';
import type { RegistrationTokenFact } from '../facts/registration-token-facts.js';
import { foldRegistrationTokenFact } from './fold-facts.js';
import {
  NO_REGISTRATION_TOKEN,
  type RegistrationToken,
  decideTokenChange,
  decideTokenCreation,
  decideTokenReturn,
  decideTokenRevocation,
  decideTokenUse,
} from './registration-token.js';

type Decision = (token: RegistrationToken) => readonly RegistrationTokenFact[];

const given = (...facts: readonly PlainFact[]): { when(decision: Decision): Expectation } =>
  givenFacts(
    {
      initialState: NO_REGISTRATION_TOKEN,
      evolve: foldRegistrationTokenFact,
      decide: (token: RegistrationToken, decision: Decision) => draftFacts(decision(token)),
    },
    facts,
  );

const userId = '@alice:example.org' as UserId;
const created = (data: object): PlainFact => ({ type: 'registration-token-created', data });
const used = { type: 'registration-token-used', data: { user_id: userId } };
const returned = { type: 'registration-token-returned', data: { user_id: userId } };
const revoked = { type: 'registration-token-revoked', data: {} };
const use: Decision = (token) => decideTokenUse(token, userId, 1000);

const create = (data: object): Decision => {
  return (token) => decideTokenCreation(token, data, 1000);
};

describe('a registration token', () => {
  it('is given other limits, its uses counted, as long as it was not withdrawn', () => {
    const change = (limits: object): Decision => {
      return (token) => decideTokenChange(token, limits, 1000);
    };
    const changed = (data: object): PlainFact => ({ type: 'registration-token-changed', data });
    given(created({ uses_allowed: 1 }), used)
      .when(change({ uses_allowed: 2 }))
      .then([changed({ uses_allowed: 2 })]);
    given(created({ uses_allowed: 1 }), used, changed({ uses_allowed: 2 }))
      .when(use)
      .then([used]);
    given(created({ uses_allowed: 1 }), used, changed({}))
      .when(use)
      .then([used]);
    given(created({ uses_allowed: 1 }))
      .when(change({ uses_allowed: 1 }))
      .then([]);
    given(created({}))
      .when(change({ expires_at: 1000 }))
      .thenRefused('M_INVALID_PARAM');
    given(created({}), revoked).when(change({})).thenRefused('M_NOT_FOUND');
    given().when(change({})).thenRefused('M_NOT_FOUND');
  });

  it('is used as often as it may be, and no more', () => {
    given().when(use).thenRefused('M_FORBIDDEN');
    given(created({ uses_allowed: 2 }), used)
      .when(use)
      .then([used]);
    given(created({ uses_allowed: 2 }), used, used)
      .when(use)
      .thenRefused('M_FORBIDDEN');
    given(created({}), used, used, used).when(use).then([used]);
  });

  it('can be used again after a registration came to nothing', () => {
    given(created({ uses_allowed: 1 }), used, returned)
      .when(use)
      .then([used]);
    given(created({ uses_allowed: 1 }), used)
      .when((token) => decideTokenReturn(token, userId))
      .then([returned]);
    given(created({ uses_allowed: 1 }))
      .when((token) => decideTokenReturn(token, userId))
      .then([]);
  });

  it('ends at its time, or when it is withdrawn', () => {
    given(created({ expires_at: 1001 }))
      .when(use)
      .then([used]);
    given(created({ expires_at: 1000 }))
      .when(use)
      .thenRefused('M_FORBIDDEN');
    given(created({}), revoked).when(use).thenRefused('M_FORBIDDEN');
    given(created({})).when(decideTokenRevocation).then([revoked]);
    given(created({}), revoked).when(decideTokenRevocation).then([]);
    given().when(decideTokenRevocation).thenRefused('M_NOT_FOUND');
  });

  it('is created once, and only where it could be used', () => {
    given()
      .when(create({ uses_allowed: 1 }))
      .then([created({ uses_allowed: 1 })]);
    given(created({})).when(create({})).thenRefused('M_INVALID_PARAM');
    // Withdrawn, it is none any more: its uses are counted anew.
    const again = [created({ uses_allowed: 1 }), used, revoked];
    given(...again)
      .when(create({ uses_allowed: 1 }))
      .then([created({ uses_allowed: 1 })]);
    given(...again, created({ uses_allowed: 1 }))
      .when(use)
      .then([used]);
    given(...again, created({ uses_allowed: 1 }), used)
      .when(use)
      .thenRefused('M_FORBIDDEN');
    given()
      .when(create({ uses_allowed: 0 }))
      .thenRefused('M_INVALID_PARAM');
    given()
      .when(create({ expires_at: 999 }))
      .thenRefused('M_INVALID_PARAM');
  });
});
