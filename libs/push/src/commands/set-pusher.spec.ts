import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { TEST_NAMES } from '#testing/test-names';
import { MailPushers } from '../digests/mail-pusher.js';
import type { PusherFact } from '../facts/pusher-facts.js';
import { NO_PUSHERS } from '../pushers/known-pushers.js';
import type { Pushers } from '../pushers.js';
import { SetPusher, SetPusherHandler } from './set-pusher.js';

const requester = { userId: '@alice:a.example' as UserId, deviceId: 'PHONE', requestId: 'r' } as Requester;
const names = { app_display_name: 'Mail', device_display_name: '', lang: 'en' };
const mail = { smtpUrl: 'smtp://mail.example', from: 'pub@a.example' };

/** Sets a pusher that mails to an address; answers what is appended. */
async function set(address: string, own: readonly string[], config: { readonly mail?: typeof mail }): Promise<unknown> {
  const facts: PusherFact[] = [];
  const pushers: Pick<Pushers, 'change'> = {
    change: async (_user, _cause, decide) => facts.push(...decide(NO_PUSHERS, 5)) > 0,
  };
  const views = { scan: async () => [] } as unknown as Views;
  const mails = new MailPushers({ list: async () => own }, TEST_NAMES);
  const handler = new SetPusherHandler(pushers as Pushers, views, mails, config);
  const pusher = { ...mails.nameOf(address), kind: 'email' as const, ...names, data: {}, enabled: undefined };
  await handler.execute(new SetPusher(requester, pusher, { append: false }));
  return facts.map(({ data }) => data);
}

describe('a pusher that mails', () => {
  it('is for an address that its user has', async () => {
    const own = ['alice@mail.example', 'other@mail.example'];
    expect(await set('alice@mail.example', own, { mail })).toMatchObject([{ kind: 'email', device_id: 'PHONE' }]);
    await expect(set('eve@mail.example', own, { mail })).rejects.toMatchObject({ errcode: 'M_THREEPID_NOT_FOUND' });
  });

  it('is of no use where no mails are sent', async () => {
    const refused = { errcode: 'M_THREEPID_MEDIUM_NOT_SUPPORTED' };
    await expect(set('alice@mail.example', ['alice@mail.example'], {})).rejects.toMatchObject(refused);
  });
});
