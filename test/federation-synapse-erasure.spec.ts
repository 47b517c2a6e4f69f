import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { annals } from './support/annals.js';
import { Member } from './support/federation/member.js';
import { BOTH, Shared } from './support/federation/shared.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';
import { passwordOf } from './support/homeserver.js';

const WITHIN = 120_000;
const PATIENTLY = { timeout: 60_000 };
const SECRET = 'unmistakable';

/** Closes an account with what was its. */
async function close(user: Member, username: string): Promise<void> {
  const { body } = await user.request('POST', '/account/deactivate', { erase: true });
  const auth = { type: 'm.login.password', user: user.id, password: passwordOf(username), session: body.session };
  await user.ok('POST', '/account/deactivate', { auth, erase: true });
}

describe.skipIf(SYNAPSE === undefined)('who is erased in a room that is shared with Synapse', () => {
  const shared = new Shared({ name: 'Synapse', isThere: true, versions: ['10', '11'], start: startSynapse });
  beforeAll(() => shared.start(), 240_000);
  afterAll(() => shared.end());

  it.each([
    ['10', 'our side'],
    ['11', 'their side'],
  ] as const)(
    'is read there no more: version %s, made on %s',
    async (version, where) => {
      const { bob } = shared;
      const carol = await Member.at(shared.ours, `carol${version}`);
      await carol.ok('PUT', `/profile/${encodeURIComponent(carol.id)}/displayname`, { displayname: `${SECRET} Carol` });
      const maker = where === 'our side' ? carol : bob;
      const comer = maker === carol ? bob : carol;
      const room = await maker.create(version);
      await comer.join(room, maker);
      await comer.followed.untilIn(room, 'join');
      await maker.followed.untilMember(room, comer.id, 'join');
      const said = await carol.say(room, SECRET);
      const edited = await carol.edit(room, said, `${SECRET} again`);
      for (const eventId of [said, edited]) await bob.followed.untilTold(room, eventId);
      const read = async (): Promise<string> => JSON.stringify(await bob.history(room));
      expect(await read()).toContain(SECRET);

      const { code, output } = await annals(shared.ours, 'users', 'erase', carol.id, '--yes');
      expect([code, output]).toEqual([0, expect.stringContaining('removed: messages (2)')]);
      await expect.poll(read, PATIENTLY).not.toContain(SECRET);
      await bob.followed.untilMember(room, carol.id, 'leave');
      const state = JSON.stringify(await bob.ok('GET', `/rooms/${encodeURIComponent(room)}/state`));
      expect(state).not.toContain(SECRET);
      const later = await bob.say(room, 'good bye');
      expect(later).toMatch(/^\$/);
    },
    WITHIN,
  );

  it.each(BOTH)(
    'is not read by who comes later from the other server, where an account was closed on %s',
    async (where) => {
      const { maker, comer } = shared.pair(where);
      const username = where === 'our side' ? 'dora' : 'dirk';
      const gone = await Member.at(maker.server, username);
      const room = await maker.create('11');
      await gone.join(room);
      const said = await gone.say(room, SECRET);
      const edited = await gone.edit(room, said, `${SECRET} again`);
      await close(gone, username);
      await maker.followed.untilMember(room, gone.id, 'leave');

      await comer.join(room, maker);
      await comer.followed.untilIn(room, 'join');
      const there = async (): Promise<string[]> => (await comer.history(room)).map(({ event_id }) => event_id);
      await expect.poll(there, PATIENTLY).toEqual(expect.arrayContaining([said, edited]));
      expect(JSON.stringify(await comer.history(room))).not.toContain(SECRET);
      // Who was there before still can.
      expect(JSON.stringify(await maker.history(room))).toContain(SECRET);
    },
    WITHIN,
  );
});
