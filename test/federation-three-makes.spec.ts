import { afterAll, beforeAll, describe, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { DENDRITE, startDendrite } from './support/federation/dendrite.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { awaitSameState, Member } from './support/federation/member.js';
import type { Federating } from './support/federation/other-server.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';

const MAKES = ['Annals', 'Synapse', 'Dendrite'] as const;

describe.skipIf(SYNAPSE === undefined || DENDRITE === undefined)('rooms of Annals, Synapse and Dendrite', () => {
  const servers: Federating[] = [];
  let members: Member[];
  beforeAll(async () => {
    const authority = new TestAuthority();
    servers.push(await FederatingAnnals.begin(authority));
    servers.push(await startSynapse(authority));
    servers.push(await startDendrite(authority));
    members = await Promise.all(servers.map((server, i) => Member.at(server, `user${i}`)));
  });
  afterAll(async () => {
    for (const server of servers) await server.remove();
  });

  /** The one who made the room comes first. */
  function from(make: (typeof MAKES)[number]): [Member, Member, Member] {
    const at = MAKES.indexOf(make);
    return [...members.slice(at), ...members.slice(0, at)] as [Member, Member, Member];
  }

  async function isHeardByAll(room: string, speaker: Member, eventId: string): Promise<void> {
    for (const member of members) if (member !== speaker) await member.followed.untilTold(room, eventId);
  }

  it.each(MAKES)(
    'are the same at all three: made on %s, with the second invited and the third by way of the second',
    async (make) => {
      const [maker, invited, comer] = from(make);
      const room = await maker.create('10', { name: 'Three' });
      await maker.say(room, 'before');
      await maker.invite(room, invited);
      await invited.followed.untilIn(room, 'invite');
      await invited.join(room);
      await comer.join(room, invited);
      for (const member of members)
        for (const other of members) await member.followed.untilMember(room, other.id, 'join');
      for (const member of members) await isHeardByAll(room, member, await member.say(room, `I am ${member.id}`));
      await isHeardByAll(room, maker, await maker.setPower(room, comer, 50));
      await isHeardByAll(room, comer, await comer.setState(room, 'm.room.topic', { topic: 'of the third' }));
      const gone = await invited.say(room, 'to be redacted');
      await isHeardByAll(room, invited, gone);
      await isHeardByAll(room, comer, await comer.redact(room, gone));
      await awaitSameState(room, ...from(make));
      await comer.kick(room, invited);
      for (const member of members) await member.followed.untilMember(room, invited.id, 'leave');
      await awaitSameState(room, maker, comer);
      await invited.join(room, comer);
      for (const member of members) await member.followed.untilMember(room, invited.id, 'join');
      await awaitSameState(room, ...from(make));
    },
  );

  it.each(MAKES)('go on where nobody reaches %s, and are the same afterwards', async (make) => {
    const [maker, ...others] = from(make);
    const room = await maker.create('10');
    for (const other of others) await other.join(room, maker);
    for (const member of members)
      for (const other of members) await member.followed.untilMember(room, other.id, 'join');
    for (const other of others) await isHeardByAll(room, maker, await maker.setPower(room, other, 50));
    const { line } = maker.server;
    line.cut();
    const said: [Member, string][] = [];
    for (const other of others) {
      said.push([other, await other.say(room, 'without them')]);
      said.push([other, await other.setState(room, `org.example.${other.id.slice(1, 6)}`, {})]);
    }
    for (const [speaker, eventId] of said) {
      for (const member of others) if (member !== speaker) await member.followed.untilTold(room, eventId);
    }
    line.mend();
    for (const member of members) await isHeardByAll(room, member, await member.say(room, 'with all'));
    for (const [speaker, eventId] of said) await isHeardByAll(room, speaker, eventId);
    await awaitSameState(room, ...from(make));
  });
});
