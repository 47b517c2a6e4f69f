import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { annals } from './support/annals.js';
import { Member } from './support/federation/member.js';
import { Shared } from './support/federation/shared.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';

const WITHIN = 120_000;
const PATIENTLY = { timeout: 60_000 };
const SECRET = 'unmistakable';

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
});
