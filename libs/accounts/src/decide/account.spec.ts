import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { DeviceId, RoomId, UserId } from '#kernel/ids';
import { given as givenFacts, type Expectation, type PlainFact } from '#testing/given';
import type { AccountFact } from '../facts/account-facts.js';
import { type Account, NO_ACCOUNT } from './account.js';
import {
  decideAdmin,
  decideAdminByGroups,
  decideDeactivation,
  decideLogoutEverywhere,
  decidePasswordChange,
  decideRateLimit,
  decideRegistration,
  decideReopening,
  decideRestriction,
} from './decide-account.js';
import { decideAccountData, decideFilter, decideTag } from './decide-account-data.js';
import { decideLoginTokenUse } from './decide-login-tokens.js';
import { decideProfileChange } from './decide-profile.js';
import {
  decideConfirmation,
  decideDehydration,
  decideDeviceRemoval,
  decideDeviceRename,
  decideLogin,
  decideRefresh,
} from './decide-sessions.js';
import { foldAccountFact } from './fold-facts.js';

type Decision = (account: Account) => readonly AccountFact[];

const given = (...facts: readonly PlainFact[]): { when(decision: Decision): Expectation } =>
  givenFacts(
    {
      initialState: NO_ACCOUNT,
      evolve: foldAccountFact,
      decide: (account: Account, decision: Decision) =>
        decision(account).map(({ type, data }) => ({ id: randomUUID(), type, data: JSON.stringify(data) })),
    },
    facts,
  );

const userId = '@alice:example.org' as UserId;
const room = '!room:example.org' as RoomId;
const [phone, laptop] = ['PHONE' as DeviceId, 'LAPTOP' as DeviceId];
const registered = {
  type: 'account-registered',
  data: { user_id: userId, kind: 'user', via: 'open', password_hash: 'hash1' },
};
const deactivated = { type: 'account-deactivated', data: { erase: false } };
const device = (device_id: DeviceId, more: object = {}): PlainFact => ({
  type: 'device-added',
  data: { device_id, token_hash: `at-${device_id}`, ...more },
});
const refreshed = (used: string, n: number): PlainFact => ({
  type: 'tokens-refreshed',
  data: { device_id: phone, used, token_hash: `at${n}`, refresh_hash: `rt${n}`, expires_at: n },
});
const refresh = (used: string): Decision => {
  const next = { used, token_hash: 'new-at', refresh_hash: 'new-rt', expires_at: 9 };
  return (account) => decideRefresh(account, next);
};
const refreshOf = (used: string): PlainFact => ({
  type: 'tokens-refreshed',
  data: { device_id: phone, used, token_hash: 'new-at', refresh_hash: 'new-rt', expires_at: 9 },
});

const register: Decision = (account) => decideRegistration(account, { userId, via: 'open', passwordHash: 'hash1' });

const rename = (id: DeviceId, name: string): Decision => {
  return (account) => decideDeviceRename(account, id, name);
};

const set = (key: string, value: string | number | null | undefined): Decision => {
  return (account) => decideProfileChange(account, key, value);
};

const create: Decision = (account) => decideFilter(account, 'id', { room: {} });

describe('an account', () => {
  it('is registered once, and never again, not even after its end', () => {
    given().when(register).then([registered]);
    given(registered).when(register).thenRefused('M_USER_IN_USE');
    given(registered, deactivated).when(register).thenRefused('M_USER_IN_USE');
  });

  it('can do nothing before it is registered, and nothing after its end', () => {
    const decisions: Decision[] = [
      (account) => decideLogin(account, { device_id: phone, token_hash: 'at' }),
      (account) => decidePasswordChange(account, { passwordHash: 'hash2', logoutDevices: true }),
      (account) => decideAdmin(account, true),
      (account) => decideProfileChange(account, 'displayname', 'Alice'),
      (account) => decideAccountData(account, undefined, 'a.b', {}),
      (account) => decideTag(account, room, 'm.favourite', {}),
      (account) => decideFilter(account, 'id', {}),
    ];
    for (const decision of decisions) {
      given().when(decision).thenRefused('M_NOT_FOUND');
      given(registered, deactivated).when(decision).thenRefused('M_USER_DEACTIVATED');
    }
    given(registered, deactivated)
      .when((account) => decideDeactivation(account, false))
      .then([]);
  });

  it('is erased once, also some time after its end', () => {
    const erased = { type: 'account-deactivated', data: { erase: true } } as const;
    given(registered, deactivated)
      .when((account) => decideDeactivation(account, true))
      .then([erased]);
    given(registered, deactivated, erased)
      .when((account) => decideDeactivation(account, true))
      .then([]);
  });

  describe('that was closed', () => {
    const [closed, erased] = [deactivated, { type: 'account-deactivated', data: { erase: true } }];
    const again = { type: 'account-reopened', data: {} };
    const reopen = (over: number, hash?: string): Decision => {
      return (account) => decideReopening(account, over, hash);
    };
    const look = (facts: readonly PlainFact[], expected: object): void =>
      given(...facts)
        .when((account) => {
          expect(account).toMatchObject(expected);
          return [];
        })
        .then([]);

    it('is opened again, to who knows the new password', () => {
      const changed = { type: 'password-changed', data: { password_hash: 'hash2' } };
      given(registered, closed).when(reopen(1, 'hash2')).then([again, changed]);
      given(registered, closed).when(reopen(1)).then([again]);
      given(registered).when(reopen(1, 'hash2')).then([]);
      given().when(reopen(1)).thenRefused('M_NOT_FOUND');
      const guest = { type: 'account-registered', data: { user_id: userId, kind: 'guest', via: 'open' } };
      given(guest, closed).when(reopen(1)).thenRefused('M_FORBIDDEN');
    });

    it('is not where it was closed once more since that was found to be over', () => {
      given(registered, closed, erased).when(reopen(1)).thenRefused('M_UNKNOWN');
      given(registered, closed, erased).when(reopen(2)).then([again]);
    });

    it('has no password, no rights and no addresses then, and can do again what an account can', () => {
      const admin = { type: 'admin-changed', data: { admin: true, provider: 'p' } };
      const mail = {
        type: 'threepid-added',
        data: { medium: 'email', address: 'a@b.example', validated_at: 1, added_at: 1 },
      };
      const facts = [registered, admin, mail, closed, again];
      const expected = {
        deactivated: false,
        admin: false,
        adminBy: undefined,
        passwordHash: undefined,
        loggedOutAt: 4,
      };
      look(facts, { ...expected, closedAt: undefined, threepids: new Map() });
      given(...facts)
        .when(set('displayname', 'Alice'))
        .then([{ type: 'profile-changed', data: { key: 'displayname', value: 'Alice' } }]);
      given(...facts)
        .when((account) => decideDeactivation(account, true))
        .then([erased]);
    });

    it('knows nothing more of what was erased, whether or not the facts say it still', () => {
      const linked = { type: 'external-id-linked', data: { provider: 'p', id_hash: 'h', subject: 's' } };
      const filter = { type: 'filter-created', data: { filter_id: 'id', filter: {} } };
      const name = { type: 'profile-changed', data: { key: 'displayname', value: 'Alice' } };
      const readers = { type: 'readers-set', data: { of: 'profile', key: 'displayname', readers: [] } };
      const told = [linked, filter, name, readers];
      const none = { profile: new Map(), readers: new Map(), filters: new Set(), erased: undefined };
      const expected = { ...none, externalIds: undefined, unlinkedFrom: ['p'] };
      look([registered, ...told, erased, again], expected);
      const left = [{ ...linked, data: { provider: 'p', id_hash: '', subject: '' } }, filter, { ...readers }];
      look([registered, ...left, erased, again], expected);
      look([registered, ...told, closed, again], { externalIds: [{ provider: 'p' }], filters: new Set(['id']) });
    });
  });

  it('loses its devices and its password with its end', () => {
    given(registered, device(phone), device(laptop))
      .when((account) => decideDeactivation(account, true))
      .then([
        { type: 'devices-removed', data: { device_ids: [phone, laptop], reason: 'deactivated' } },
        { type: 'account-deactivated', data: { erase: true } },
      ]);
    given(registered, deactivated)
      .when((account) => {
        expect(account).toMatchObject({ passwordHash: undefined, admin: false });
        return [];
      })
      .then([]);
  });

  it('keeps the device that changes the password, and the others where that is wanted', () => {
    const change = (logoutDevices: boolean): Decision => {
      return (account) => decidePasswordChange(account, { passwordHash: 'hash2', logoutDevices, keepDevice: phone });
    };
    const changed = { type: 'password-changed', data: { password_hash: 'hash2' } };
    const removed = { type: 'devices-removed', data: { device_ids: [laptop], reason: 'password-changed' } };
    given(registered, device(phone), device(laptop)).when(change(true)).then([changed, removed]);
    given(registered, device(phone), device(laptop)).when(change(false)).then([changed]);
    given(registered, device(phone)).when(change(true)).then([changed]);
  });

  it('becomes an administrator and no more, each once', () => {
    const made = { type: 'admin-changed', data: { admin: true } };
    given(registered)
      .when((account) => decideAdmin(account, true))
      .then([made]);
    given(registered, made)
      .when((account) => decideAdmin(account, true))
      .then([]);
    given(registered, made)
      .when((account) => decideAdmin(account, false))
      .then([{ type: 'admin-changed', data: { admin: false } }]);
  });
});

describe('an administrator by the groups of somewhere else', () => {
  const byGroups = { type: 'admin-changed', data: { admin: true, provider: 'main' } };
  const byOperator = { type: 'admin-changed', data: { admin: true } };

  it('is one no more once the groups say so', () => {
    given(registered, byGroups)
      .when((account) => decideAdminByGroups(account, false, 'main'))
      .then([{ type: 'admin-changed', data: { admin: false, provider: 'main' } }]);
  });

  it('stays one whom an operator has made one besides', () => {
    given(registered, byGroups)
      .when((account) => decideAdmin(account, true))
      .then([byOperator]);
    given(registered, byGroups, byOperator)
      .when((account) => decideAdminByGroups(account, false, 'main'))
      .then([]);
  });
});

describe('the devices of an account', () => {
  it('are removed once, and only those that are there', () => {
    given(registered, device(phone))
      .when((account) => decideDeviceRemoval(account, [laptop, phone, phone], 'deleted'))
      .then([{ type: 'devices-removed', data: { device_ids: [phone], reason: 'deleted' } }]);
    given(registered)
      .when((account) => decideDeviceRemoval(account, [phone], 'logout'))
      .then([]);
    given(registered, device(phone), device(laptop))
      .when(decideLogoutEverywhere)
      .then([{ type: 'devices-removed', data: { device_ids: [phone, laptop], reason: 'logout-all' } }]);
  });

  it('take with them, once all are logged out, the tokens by which others were to log in, but not where one is', () => {
    const issued = { type: 'login-token-issued', data: { token_hash: 'lt', expires_at: 9 } };
    const removed = (reason: string): PlainFact => ({ type: 'devices-removed', data: { device_ids: [phone], reason } });
    const logIn: Decision = (account) => decideLoginTokenUse(account, 'lt', 1);
    given(registered, device(phone), issued, removed('logout'))
      .when(logIn)
      .then([{ type: 'login-token-used', data: { token_hash: 'lt' } }]);
    given(registered, device(phone), issued, removed('logout-all')).when(logIn).thenRefused('M_FORBIDDEN');
  });

  it('are renamed, where they are there and the name is new and not too long', () => {
    const known = [registered, device(phone, { display_name: 'old' })];
    given(...known)
      .when(rename(phone, 'new'))
      .then([{ type: 'device-renamed', data: { device_id: phone, display_name: 'new' } }]);
    given(...known)
      .when(rename(phone, 'old'))
      .then([]);
    given(...known)
      .when(rename(laptop, 'new'))
      .thenRefused('M_NOT_FOUND');
    given(...known)
      .when(rename(phone, 'x'.repeat(1025)))
      .thenRefused('M_INVALID_PARAM');
  });

  it('keep their name through a second login, which voids the tokens before', () => {
    given(
      registered,
      device(phone, { display_name: 'mine', refresh_hash: 'rt1' }),
      device(phone, { display_name: 'x' }),
    )
      .when((account) => {
        expect(account.devices.get(phone)).toEqual({
          display_name: 'mine',
          created_ts: expect.any(Number),
          login: 2,
          current: { token_hash: 'at-PHONE' },
        });
        return [];
      })
      .then([]);
    given(registered, device(phone, { refresh_hash: 'rt1' }), device(phone))
      .when(refresh('rt1'))
      .thenRefused('M_UNKNOWN_TOKEN');
  });

  const session = [registered, device(phone, { refresh_hash: 'rt0', expires_at: 1 })];

  it('refresh with their refresh token, and with no other', () => {
    given(...session)
      .when(refresh('rt0'))
      .then([refreshOf('rt0')]);
    given(...session)
      .when(refresh('other'))
      .thenRefused('M_UNKNOWN_TOKEN');
    given(registered, device(phone)).when(refresh('rt0')).thenRefused('M_UNKNOWN_TOKEN');
  });

  it('may use a refresh token again until what it gave is used', () => {
    given(...session, refreshed('rt0', 1))
      .when(refresh('rt0'))
      .then([refreshOf('rt0')]);
    given(...session, refreshed('rt0', 1), refreshed('rt0', 2))
      .when(refresh('rt0'))
      .then([refreshOf('rt0')]);
    given(...session, refreshed('rt0', 1), refreshed('rt0', 2))
      .when(refresh('rt1'))
      .thenRefused('M_UNKNOWN_TOKEN');
    given(...session, refreshed('rt0', 1), refreshed('rt1', 2))
      .when(refresh('rt0'))
      .thenRefused('M_UNKNOWN_TOKEN');
    const confirmed = { type: 'tokens-confirmed', data: { device_id: phone, token_hash: 'at1' } };
    given(...session, refreshed('rt0', 1), confirmed)
      .when(refresh('rt0'))
      .thenRefused('M_UNKNOWN_TOKEN');
    given(...session, refreshed('rt0', 1), confirmed)
      .when(refresh('rt1'))
      .then([refreshOf('rt1')]);
  });

  it('note the first use of a refreshed token once', () => {
    const confirm: Decision = (account) => decideConfirmation(account, phone, 'at1');
    const confirmed = { type: 'tokens-confirmed', data: { device_id: phone, token_hash: 'at1' } };
    given(...session, refreshed('rt0', 1))
      .when(confirm)
      .then([confirmed]);
    given(...session, refreshed('rt0', 1), confirmed)
      .when(confirm)
      .then([]);
    given(...session, refreshed('rt0', 2))
      .when(confirm)
      .then([]);
    given(...session)
      .when(confirm)
      .then([]);
  });
});

describe('what an account keeps', () => {
  const named = { type: 'profile-changed', data: { key: 'displayname', value: 'Alice' } };

  it('has a profile that changes only where it differs', () => {
    given(registered).when(set('displayname', 'Alice')).then([named]);
    given(registered, named).when(set('displayname', 'Alice')).then([]);
    const removed = { type: 'profile-changed', data: { key: 'displayname', removed: true } };
    for (const nothing of ['', undefined]) {
      given(registered, named).when(set('displayname', nothing)).then([removed]);
      given(registered).when(set('displayname', nothing)).then([]);
    }
    given(registered)
      .when(set('a.b', null))
      .then([{ type: 'profile-changed', data: { key: 'a.b', value: null } }]);
    given(registered).when(set('avatar_url', 5)).thenRefused('M_BAD_JSON');
    for (const key of ['', 'Name', 'nodots', 'a..b', '__proto__', '1a.b']) {
      given(registered).when(set(key, 'x')).thenRefused('M_INVALID_PARAM');
    }
  });

  it('has tags whose order lies between 0 and 1', () => {
    for (const order of [-0.1, 1.1, 'first']) {
      given(registered)
        .when((account) => decideTag(account, room, 'u.a', { order }))
        .thenRefused('M_BAD_JSON');
    }
    given(registered)
      .when((account) => decideTag(account, room, 'u.a', { order: 1 }))
      .then([{ type: 'tag-set', data: { room_id: room, tag: 'u.a', content: { order: 1 } } }]);
  });

  it('has each filter once', () => {
    const created = { type: 'filter-created', data: { filter_id: 'id', filter: { room: {} } } };
    given(registered).when(create).then([created]);
    given(registered, created).when(create).then([]);
  });

  it('has one device without a session at most, which takes the place of the one before and of no other', () => {
    const [dry, drier] = ['DRY' as DeviceId, 'DRIER' as DeviceId];
    const dehydrate = (id: DeviceId): Decision => {
      return (account) => decideDehydration(account, { device_id: id, token_hash: 'nobody', device_data: {} });
    };
    const added = (id: DeviceId): PlainFact => ({
      type: 'device-added',
      data: { device_id: id, token_hash: 'nobody' },
    });
    const told = (id: DeviceId, more: object = {}): PlainFact => ({
      type: 'device-dehydrated',
      data: { device_id: id, ...more, device_data: {} },
    });
    const removed = { type: 'devices-removed', data: { device_ids: [dry], reason: 'deleted' } };
    given(registered)
      .when(dehydrate(dry))
      .then([added(dry), told(dry)]);
    const before = [registered, added(dry), told(dry)];
    given(...before)
      .when(dehydrate(dry))
      .then([told(dry, { overtakes: 2 })]);
    given(...before)
      .when(dehydrate(drier))
      .then([removed, added(drier), told(drier, { overtakes: 2 })]);
    given(...before, removed).when(dehydrate(dry)).then([added(dry), told(dry, { overtakes: 2 })]); // prettier-ignore
    given(...before, added(phone))
      .when(dehydrate(phone))
      .thenRefused('M_INVALID_PARAM');
    given(registered)
      .when((account) =>
        decideDehydration(account, { device_id: dry, token_hash: '', device_data: { a: 'x'.repeat(65_536) } }),
      )
      .thenRefused('M_TOO_LARGE');
  });

  it('is locked and suspended, each for itself and once, as long as it is there', () => {
    const lock: Decision = (account) => decideRestriction(account, 'locked', true);
    const unlock: Decision = (account) => decideRestriction(account, 'locked', false);
    const suspend: Decision = (account) => decideRestriction(account, 'suspended', true);
    const lift: Decision = (account) => decideRestriction(account, 'suspended', false);
    const [locked, suspended] = [
      { type: 'account-locked', data: {} },
      { type: 'account-suspended', data: {} },
    ];
    const [unlocked, unsuspended] = [
      { type: 'account-unlocked', data: {} },
      { type: 'account-unsuspended', data: {} },
    ];
    given(registered).when(lock).then([locked]);
    given(registered, locked).when(lock).then([]);
    given(registered, locked).when(suspend).then([suspended]);
    given(registered, locked, suspended).when(unlock).then([unlocked]);
    given(registered, locked, suspended, unlocked).when(lift).then([unsuspended]);
    given(registered, suspended, unsuspended).when(lift).then([]);
    for (const decision of [lock, unlock, suspend, lift]) {
      given().when(decision).thenRefused('M_NOT_FOUND');
      given(registered, deactivated).when(decision).thenRefused('M_NOT_FOUND');
    }
  });

  it('has a rate limit of its own, until that of everybody holds again, each once', () => {
    const override = (per_second: number, burst: number): Decision => {
      return (account) => decideRateLimit(account, { per_second, burst });
    };
    const restore: Decision = (account) => decideRateLimit(account, undefined);
    const overridden = (per_second: number, burst: number): PlainFact => ({
      type: 'rate-limit-overridden',
      data: { per_second, burst },
    });
    const restored = { type: 'rate-limit-restored', data: {} };
    given(registered)
      .when(override(0, 0))
      .then([overridden(0, 0)]);
    given(registered, overridden(0, 0)).when(override(0, 0)).then([]);
    given(registered, overridden(0, 0))
      .when(override(0, 1))
      .then([overridden(0, 1)]);
    given(registered, overridden(0, 0)).when(restore).then([restored]);
    given(registered, overridden(0, 0), restored).when(restore).then([]);
    given().when(restore).thenRefused('M_NOT_FOUND');
  });

  it('lets nobody in while it is locked, and those who are in stay', () => {
    const locked = { type: 'account-locked', data: {} };
    given(registered, device(phone, { refresh_hash: 'rt' }), locked)
      .when(refresh('rt'))
      .thenRefused('M_USER_LOCKED');
    given(registered, locked)
      .when((account) => decideLogin(account, { device_id: laptop, token_hash: 'at' }))
      .thenRefused('M_USER_LOCKED');
    given(registered, device(phone), locked)
      .when((account) => decideDeviceRemoval(account, [phone], 'logout'))
      .then([{ type: 'devices-removed', data: { device_ids: [phone], reason: 'logout' } }]);
  });

  it('is not disturbed by the facts of other domains', () => {
    given(registered, { type: 'room-forgotten', data: {} }, { type: 'push-rule-set', data: {} })
      .when((account) => {
        expect(account.exists).toBe(true);
        return [];
      })
      .then([]);
  });
});
