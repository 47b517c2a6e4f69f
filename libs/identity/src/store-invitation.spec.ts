import { expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import type { RoomId, UserId } from '#kernel/ids';
import type { FindableAssociations } from './findable-associations.js';
import type { InvitationMessages } from './invitation-messages.js';
import type { LongTermKeys } from './long-term-keys.js';
import { StoreInvitation } from './store-invitation.js';
import type { StoredInvites } from './stored-invites.js';

const CAROL = '@carol:b.example' as UserId;
const WANTED = {
  threepid: { medium: 'email', address: 'carol@mail.example' },
  roomId: '!room:a.example' as RoomId,
  sender: '@alice:a.example' as UserId,
} as const;

/** Everybody may find Carol. */
function storing(settings: Readonly<Record<string, string>>): (isVouchedFor: boolean) => Promise<unknown> {
  const config = loadConfig({ ANNALS_ROLES: 'all,identity', ...settings });
  const invitation = new StoreInvitation(
    { store: () => Promise.resolve({ token: 't', publicKey: 'p', privateKey: 's' }) } as unknown as StoredInvites,
    { find: () => Promise.resolve(CAROL) } as unknown as FindableAssociations,
    { now: 'k' } as LongTermKeys,
    { prepare: () => Promise.resolve(() => {}) } as unknown as InvitationMessages,
    config,
  );
  return (isVouchedFor) => invitation.store({ ...WANTED, isVouchedFor });
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
