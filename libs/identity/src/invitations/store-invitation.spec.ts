import { describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { RATE_LIMITS } from '#config/rate-limits';
import { PARTIES, RateLimits } from '#http/rate-limits';
import type { RoomId, UserId } from '#kernel/ids';
import type { FindableAssociations } from '../associations/findable-associations.js';
import type { InvitationMessages } from './invitation-messages.js';
import type { LongTermKeys } from '../long-term-keys.js';
import { StoreInvitation } from './store-invitation.js';
import type { StoredInvites } from './stored-invites.js';

const CAROL = '@carol:b.example' as UserId;
const NOBODY = 'nobody';
const WANTED = {
  threepid: { medium: 'email', address: 'carol@mail.example' },
  roomId: '!room:a.example' as RoomId,
  sender: '@alice:a.example' as UserId,
  ip: '192.0.2.1',
} as const;

/** Everybody may find Carol. */
function storing(
  settings: Readonly<Record<string, string>>,
  found: UserId | typeof NOBODY = CAROL,
): (isVouchedFor: boolean, more?: object) => Promise<unknown> {
  const config = loadConfig({ ANNALS_ROLES: 'all,identity', ...settings });
  const invitation = new StoreInvitation(
    { store: () => Promise.resolve({ token: 't', publicKey: 'p', privateKey: 's' }) } as unknown as StoredInvites,
    { find: () => Promise.resolve(found === NOBODY ? undefined : found) } as unknown as FindableAssociations,
    { now: 'k' } as LongTermKeys,
    { check: () => Promise.resolve() } as unknown as InvitationMessages,
    new RateLimits(config, { elapsed: () => 0 }),
    config,
  );
  return (isVouchedFor, more = {}) => invitation.store({ ...WANTED, isVouchedFor, ...more });
}

it('tells whose an address is who may look it up', async () => {
  const known = { errcode: 'M_THREEPID_IN_USE', fields: { mxid: CAROL } };
  for (const isVouchedFor of [true, false]) await expect(storing({})(isVouchedFor)).rejects.toMatchObject(known);
});

it('tells nobody who is not known whose an address is where the operator wants no look-ups in plain text', async () => {
  const store = storing({ ANNALS_IDENTITY_PLAIN_LOOKUP: 'off' });
  expect(await store(false)).toMatchObject({ token: 't', display_name: 'c...@m...' });
  await expect(store(true)).rejects.toMatchObject({ errcode: 'M_THREEPID_IN_USE' });
});

describe('how often somebody is invited by address', () => {
  const { burst } = RATE_LIMITS.mail;
  const LIMITED = { errcode: 'M_LIMIT_EXCEEDED' };
  const times = (n: number): number[] => Array.from({ length: n }, (_, each) => each);
  /** How many of some that are asked for are stored. */
  const count = async (asked: readonly (() => Promise<unknown>)[]): Promise<number> => {
    let stored = 0;
    for (const ask of asked) {
      stored += await ask().then(
        () => 1,
        () => 0,
      );
    }
    return stored;
  };

  it('is counted by who invites, also of a server all of whose users ask from one address', async () => {
    const store = storing({}, NOBODY);
    const all = times(80).map((n) => () => store(true, { sender: `@u${n}:a.example` }));
    expect(await count(all)).toBe(80);
    expect(await count(times(burst * PARTIES.user).map(() => () => store(true)))).toBe(burst * PARTIES.user);
    await expect(store(true)).rejects.toMatchObject(LIMITED);
    await store(true, { sender: '@bob:a.example' });
  });

  it('is counted by the server too, which has as many users as it likes', async () => {
    const store = storing({}, NOBODY);
    const all = times(1_000).map((n) => () => store(true, { sender: `@u${n}:a.example` }));
    expect(await count(all)).toBe(RATE_LIMITS.inviting.burst);
    await store(true, { sender: '@u:b.example' });
  });

  it('is counted by the address, of whatever names, where nobody vouches for who invites, and not for them', async () => {
    const store = storing({}, NOBODY);
    expect(await count(times(100).map(() => () => store(false)))).toBe(burst * PARTIES.user);
    await store(false, { sender: '@bob:a.example' });
    await store(true);
    const many = times(1_000).map((n) => () => store(false, { sender: `@u${n}:a.example`, ip: '192.0.2.2' }));
    expect(await count(many)).toBe(burst * PARTIES.address);
  });
});
