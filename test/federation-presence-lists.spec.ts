import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { Member } from './support/federation/member.js';

const STARTS = 120_000;
const WITHIN = 60_000;
const V1 = '/_matrix/client/api/v1';

let authority: TestAuthority;
let here: FederatingAnnals;
let there: FederatingAnnals;
beforeAll(async () => {
  authority = new TestAuthority();
  here = await FederatingAnnals.begin(authority);
  there = await FederatingAnnals.begin(authority);
}, STARTS);
afterAll(async () => {
  await here?.remove();
  await there?.remove();
});
afterEach(() => {
  here.line.mend();
  there.line.mend();
});

let count = 0;
/** Alice here, Bob there, who share no room. */
async function twoMembers(): Promise<[Member, Member]> {
  const n = count++;
  return [await Member.at(here, `alice${n}`), await Member.at(there, `bob${n}`)];
}

const pathOf = ({ id }: Member): string => `${V1}/presence/list/${encodeURIComponent(id)}`;
const change = (who: Member, body: object): Promise<unknown> => who.ok('POST', pathOf(who), body);
const listOf = (who: Member): Promise<unknown> => who.ok('GET', pathOf(who));
const watchersOf = (who: Member): Promise<unknown> => who.ok('GET', `${pathOf(who)}/watchers`);
const say = (who: Member, presence: string, message: string): Promise<unknown> =>
  who.ok('PUT', `/presence/${encodeURIComponent(who.id)}/status`, { presence, status_msg: message });

it(
  'who wants no invitations gets none of another server either',
  async () => {
    const [alice, bob] = await twoMembers();
    const config = `/user/${encodeURIComponent(bob.id)}/account_data/m.invite_permission_config`;
    await bob.ok('PUT', config, { default_action: 'block' });
    const room = await alice.create('11', { preset: 'private_chat' });
    const path = `/rooms/${encodeURIComponent(room)}/invite`;
    const { status, body } = await alice.request('POST', path, { user_id: bob.id });
    expect([status, body.errcode]).toEqual([403, 'M_INVITE_BLOCKED']);
    await bob.ok('PUT', config, {});
    await alice.ok('POST', path, { user_id: bob.id });
  },
  WITHIN,
);

describe('a presence list with users of another server', () => {
  it(
    'shows whom it may, as they come and go, until either ends it',
    async () => {
      const [alice, bob] = await twoMembers();
      await say(bob, 'online', 'first');
      await change(alice, { invite: [bob.id] });
      await expect.poll(() => watchersOf(bob)).toEqual([{ user_id: alice.id, accepted: false }]);
      await change(bob, { accept: [alice.id] });
      const shown = (message: string) => [{ user_id: bob.id, accepted: true, presence: 'online', status_msg: message }];
      await expect.poll(() => listOf(alice)).toMatchObject(shown('first'));
      await say(bob, 'online', 'second');
      await expect.poll(() => listOf(alice)).toMatchObject(shown('second'));

      // Between servers a state that today's specification has no word for is exactly what it was.
      await bob.ok('PUT', `${V1}/presence/${encodeURIComponent(bob.id)}/device`, { device_type: 'mobile' });
      await bob.ok('PUT', `${V1}/presence/${encodeURIComponent(bob.id)}/status`, { presence: 'busy' });
      const busy = [{ user_id: bob.id, presence: 'busy', device_type: 'mobile' }];
      await expect.poll(() => listOf(alice)).toMatchObject(busy);

      // A reverse subscription is accepted by itself.
      await change(bob, { invite: [alice.id] });
      await expect.poll(() => listOf(bob)).toMatchObject([{ user_id: alice.id, accepted: true }]);
      await change(bob, { decline: [alice.id] });
      await expect.poll(() => listOf(alice)).toEqual([]);
      await change(bob, { drop: [alice.id] });
      await expect.poll(() => watchersOf(alice)).toEqual([]);
    },
    WITHIN,
  );

  it(
    'hears what was decided while the server was away',
    async () => {
      const [alice, bob] = await twoMembers();
      await change(alice, { invite: [bob.id] });
      await expect.poll(() => watchersOf(bob)).toHaveLength(1);
      here.line.cut();
      await change(bob, { accept: [alice.id] });
      await there.end('SIGKILL');
      await there.start();
      here.line.mend();
      // It is there again as soon as it says anything.
      await change(alice, { invite: [`@nobody:${bob.id.slice(bob.id.indexOf(':') + 1)}`] });
      await expect.poll(() => listOf(alice)).toMatchObject([{ user_id: bob.id, accepted: true }]);
    },
    WITHIN,
  );
});
