import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Member } from './support/federation/member.js';
import { Shared } from './support/federation/shared.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';

const WITHIN = 90_000;
const V1 = '/_matrix/client/api/v1';

const statusPath = ({ id }: Member): string => `/presence/${encodeURIComponent(id)}/status`;
const say = (who: Member, presence: string, message: string, door = ''): Promise<unknown> =>
  who.ok('PUT', `${door}${statusPath(who)}`, { presence, status_msg: message });
const seenBy = (who: Member, whom: Member): Promise<unknown> => who.ok('GET', statusPath(whom));

describe.skipIf(SYNAPSE === undefined)('presence shared with Synapse', () => {
  const shared = new Shared({ name: 'Synapse', isThere: true, versions: ['10'], start: startSynapse });
  beforeAll(async () => {
    await shared.start();
    await shared.room('our side', '10');
  }, 240_000);
  afterAll(() => shared.end());

  it(
    'goes both ways between who share a room',
    async () => {
      const { alice, bob } = shared;
      await say(alice, 'online', 'from Annals');
      await expect.poll(() => seenBy(bob, alice)).toMatchObject({ presence: 'online', status_msg: 'from Annals' });
      await say(bob, 'online', 'from Synapse');
      await expect.poll(() => seenBy(alice, bob)).toMatchObject({ presence: 'online', status_msg: 'from Synapse' });
      await say(bob, 'unavailable', 'gone for lunch');
      await expect.poll(() => seenBy(alice, bob)).toMatchObject({ status_msg: 'gone for lunch' });
      await bob.followed.until('presence of alice', ({ presence }) =>
        presence.some(({ sender }) => sender === alice.id),
      );
    },
    WITHIN,
  );

  it(
    'is told it in the words of the specification, whatever more we know',
    async () => {
      const { alice, bob } = shared;
      await say(alice, 'busy', 'do not ask', V1);
      await expect.poll(() => seenBy(bob, alice)).toMatchObject({ presence: 'unavailable', status_msg: 'do not ask' });
      await say(alice, 'free_for_chat', 'ask me', V1);
      await expect.poll(() => seenBy(bob, alice)).toMatchObject({ presence: 'online', status_msg: 'ask me' });
      await say(alice, 'hidden', 'psst', V1);
      await expect.poll(() => seenBy(bob, alice)).toMatchObject({ presence: 'offline' });
      expect(JSON.stringify(await seenBy(bob, alice))).not.toContain('psst');
    },
    WITHIN,
  );

  it(
    'is asked in vain for a presence list, of which it knows nothing any more, and harmed by nothing of it',
    async () => {
      const { alice, bob } = shared;
      const list = `${V1}/presence/list/${encodeURIComponent(alice.id)}`;
      await alice.ok('POST', list, { invite: [bob.id] });
      const room = await alice.create('10');
      await bob.join(room, alice);
      const message = await alice.say(room, 'still there?');
      await bob.followed.untilTold(room, message);
      expect(await alice.ok('GET', list)).toMatchObject([{ user_id: bob.id, accepted: false }]);
    },
    WITHIN,
  );
});
