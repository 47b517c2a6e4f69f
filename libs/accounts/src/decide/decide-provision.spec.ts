import { randomUUID } from 'node:crypto';
import { describe, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { given as givenFacts, type Expectation, type PlainFact } from '#testing/given';
import { externalIdHash } from '../facts/external-id-facts.js';
import { type Account, NO_ACCOUNT } from './account.js';
import { decideProvision, type Provision } from './decide-provision.js';
import { foldAccountFact } from './fold-facts.js';

const userId = '@alice:example.org' as UserId;
const NOW = 7;
const given = (...facts: readonly PlainFact[]): { when(wanted: Provision): Expectation } =>
  givenFacts(
    {
      initialState: NO_ACCOUNT,
      evolve: foldAccountFact,
      decide: (account: Account, wanted: Provision) =>
        decideProvision(account, userId, wanted, NOW).map(({ type, data }) => ({
          id: randomUUID(),
          type,
          data: JSON.stringify(data),
        })),
    },
    facts,
  );

const registered = { type: 'account-registered', data: { user_id: userId, kind: 'user', via: 'open' } };
const device = { type: 'device-added', data: { device_id: 'PHONE', token_hash: 'token' } };
const mail = { medium: 'email', address: 'alice@mail.example' } as const;
const added = { type: 'threepid-added', data: { ...mail, validated_at: NOW, added_at: NOW } };
const id = { provider: 'company', subject: 'alice' };
const linked = {
  type: 'external-id-linked',
  data: { provider: 'company', id_hash: externalIdHash(id), subject: 'alice' },
};

describe('an account that is provided', () => {
  it('is made where it is not there, as it is to be, in one write', () => {
    const wanted = {
      passwordHash: 'hash',
      displayname: 'Alice',
      admin: true,
      threepids: [mail, mail],
      externalIds: [id],
    };
    const account = { user_id: userId, kind: 'user', via: 'operator', password_hash: 'hash', admin: true };
    given()
      .when(wanted)
      .then([
        { type: 'account-registered', data: account },
        { type: 'profile-changed', data: { key: 'displayname', value: 'Alice' } },
        added,
        linked,
      ]);
  });

  it('is changed in what is another, and in nothing that is so already', () => {
    given(registered, added, linked)
      .when({
        threepids: [mail],
        externalIds: [id],
        admin: false,
        locked: false,
        isClosed: false,
      })
      .then([]);
    given(registered, added, linked)
      .when({ threepids: [], externalIds: [] })
      .then([
        { type: 'threepid-removed', data: mail },
        { type: 'external-id-unlinked', data: { provider: 'company', id_hash: externalIdHash(id) } },
      ]);
    given(registered, added).when({}).then([]);
  });

  it('ends its sessions with another password, unless they are kept', () => {
    const changed = { type: 'password-changed', data: { password_hash: 'hash' } };
    given(registered, device).when({ passwordHash: 'hash', keepsSessions: true }).then([changed]);
    given(registered, device)
      .when({ passwordHash: 'hash' })
      .then([changed, { type: 'devices-removed', data: { device_ids: ['PHONE'], reason: 'password-changed' } }]);
  });

  it('is locked where it is no administrator’s, or no more', () => {
    const admin = { type: 'admin-changed', data: { admin: true } };
    const locked = { type: 'account-locked', data: {} };
    given(registered).when({ locked: true }).then([locked]);
    given(registered, admin).when({ locked: true }).thenRefused('M_FORBIDDEN');
    given(registered, admin)
      .when({ locked: true, admin: false })
      .then([{ type: 'admin-changed', data: { admin: false } }, locked]);
    given(registered).when({ locked: true, admin: true }).thenRefused('M_FORBIDDEN');
  });

  it('is closed, and opened again once nothing follows from that any more', () => {
    const closed = { type: 'account-deactivated', data: { erase: false } };
    given(registered).when({ isClosed: true }).then([closed]);
    given(registered, closed).when({ isClosed: true }).then([]);
    const again = { type: 'account-reopened', data: {} };
    const password = { type: 'password-changed', data: { password_hash: 'hash' } };
    const named = { type: 'profile-changed', data: { key: 'displayname', value: 'x' } };
    given(registered, closed)
      .when({ isClosed: false, over: 1, passwordHash: 'hash', displayname: 'x' })
      .then([again, password, named]);
    given(registered, closed).when({ isClosed: false, over: 1 }).then([again]);
    given(registered, closed).when({ isClosed: false, over: 0 }).thenRefused('M_UNKNOWN');
    given(registered).when({ isClosed: false, passwordHash: 'hash' }).then([password]);
    given(registered, closed).when({ displayname: 'x' }).thenRefused('M_USER_DEACTIVATED');
    given(registered, closed).when({ passwordHash: 'hash' }).thenRefused('M_USER_DEACTIVATED');
  });

  it('has no more addresses than an account may have', () => {
    const many = Array.from({ length: 51 }, (_, n) => ({ medium: 'email', address: `a${n}@mail.example` }) as const);
    given(registered).when({ threepids: many }).thenRefused('M_USER_LIMIT_EXCEEDED');
  });
});
