import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { annals } from './support/annals.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { HostileServer } from './support/federation/hostile-server.js';
import { awaitSameState, Member } from './support/federation/member.js';
import { WITHOUT_PRESENCE } from './support/homeserver.js';

/** More than one server fetches of a gap at once. */
const MISSED = 230;
const authority = new TestAuthority();
let here: FederatingAnnals;
let there: FederatingAnnals;
let rival: HostileServer;
let alice: Member;
let carol: Member;
let bob: Member;

beforeAll(async () => {
  here = await FederatingAnnals.begin(authority, WITHOUT_PRESENCE);
  there = await FederatingAnnals.begin(authority, WITHOUT_PRESENCE);
  [alice, carol] = [await Member.at(here, 'alice'), await Member.at(here, 'carol')];
  bob = await Member.at(there, 'bob');
  rival = await HostileServer.start(authority);
}, 120_000);
afterAll(async () => {
  await here.remove();
  await there.remove();
  await rival.stop();
});

/** A room of Bob's that Alice has been in; she missed much of it and is back. */
async function cameBack(visibility: string) {
  const room = await bob.create('11', {
    initial_state: [{ type: 'm.room.history_visibility', state_key: '', content: { history_visibility: visibility } }],
  });
  await alice.join(room, bob);
  const before = await bob.say(room, 'before');
  await expect.poll(async () => (await alice.history(room)).map(({ event_id: id }) => id)).toContain(before);
  await alice.leave(room);
  await expect.poll(async () => (await bob.stateOf(room, 'm.room.member', alice.id)).membership).toBe('leave');
  const missed: string[] = [];
  for (let i = 0; i < MISSED; i++) missed.push(await bob.say(room, `missed ${i}`));
  const name = await bob.setState(room, 'm.room.name', { name: 'of now' });
  await alice.join(room, bob);
  return { room, before, missed, name };
}

const bodiesOf = (events: readonly { content: { body?: string } }[]) =>
  events.flatMap(({ content }) => content.body ?? []);

describe('who comes back to a room after much that they missed', () => {
  it('reads all of it where history is shared, and goes on from now', async () => {
    const { room, before, missed } = await cameBack('shared');
    expect(await alice.stateOf(room, 'm.room.name')).toEqual({ name: 'of now' });
    await awaitSameState(room, bob, alice);
    const unread = async () => (await alice.ok('GET', '/sync')).rooms.join[room].unread_notifications;
    expect((await unread()).notification_count).toBe(0);
    let seen: string[] = [];
    const lacking = async (): Promise<string[]> => {
      seen = (await alice.history(room, 50)).map(({ event_id: id }) => id as string);
      return missed.filter((id) => !seen.includes(id));
    };
    await expect.poll(lacking).toEqual([]);
    expect(seen).toContain(before);
    expect(new Set(seen).size).toBe(seen.length);
    expect((await unread()).notification_count).toBe(0);
    const said = await alice.say(room, 'back');
    await expect.poll(async () => bodiesOf(await bob.history(room)).includes('back')).toBe(true);
    expect((await bob.event(room, said)).content.body).toBe('back');
    await awaitSameState(room, bob, alice);
  }, 180_000);

  it('reads nothing of what was said between where that is for who was there', async () => {
    const { room, before, missed } = await cameBack('joined');
    const events = await alice.history(room, 50);
    const bodies = bodiesOf(events);
    expect(bodies.filter((body) => body.startsWith('missed'))).toEqual([]);
    expect(events.map(({ event_id: id }) => id)).toContain(before);
    for (const id of [missed[0]!, missed.at(-1)!]) {
      const path = `/rooms/${encodeURIComponent(room)}`;
      for (const way of ['event', 'context']) {
        expect((await alice.request('GET', `${path}/${way}/${encodeURIComponent(id)}`)).status).toBe(404);
      }
    }
    const { timeline } = (await alice.ok('GET', '/sync')).rooms.join[room];
    expect(bodiesOf(timeline.events).filter((body) => body.startsWith('missed'))).toEqual([]);
  }, 180_000);
});

describe('a room of another server', () => {
  it('is joined by two users here at once', async () => {
    const room = await bob.create('11');
    await Promise.all([alice.join(room, bob), carol.join(room, bob)]);
    await awaitSameState(room, bob, alice, carol);
    for (const one of [alice, carol])
      expect((await one.stateOf(room, 'm.room.member', one.id)).membership).toBe('join');
  });

  it('is left by who is told to go while they come', async () => {
    for (let i = 0; i < 3; i++) {
      const room = await bob.create('11');
      const joined = alice.request('POST', `/join/${encodeURIComponent(room)}?via=${there.name}`, {});
      const isIn = async () => (await bob.state(room))[`m.room.member|${alice.id}`] !== undefined;
      await expect.poll(isIn, { interval: 5 }).toBe(true);
      await bob.kick(room, alice);
      await joined;
      const rooms = async () => (await alice.ok('GET', '/joined_rooms')).joined_rooms as string[];
      await expect.poll(rooms).not.toContain(room);
    }
  });

  it('is knocked at, invited to and joined, and left', async () => {
    const rules = { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } };
    const room = await bob.create('11', { preset: 'private_chat', initial_state: [rules] });
    await alice.knock(room, bob);
    await bob.invite(room, alice);
    const invites = async () => Object.keys((await alice.ok('GET', '/sync')).rooms?.invite ?? {});
    await expect.poll(invites).toContain(room);
    await alice.join(room);
    await awaitSameState(room, bob, alice);
    await alice.leave(room);
    await expect.poll(async () => (await bob.stateOf(room, 'm.room.member', alice.id)).membership).toBe('leave');
  });

  it('is followed where it was upgraded while this server was away', async () => {
    const room = await bob.create('10');
    await alice.join(room, bob);
    await here.end();
    const next = (await bob.ok('POST', `/rooms/${encodeURIComponent(room)}/upgrade`, { new_version: '11' }))
      .replacement_room as string;
    await bob.say(next, 'over here');
    await here.restart();
    const tombstone = async () => (await alice.state(room))['m.room.tombstone|'];
    await expect.poll(tombstone).toEqual(expect.any(String));
    await alice.join(next, bob);
    expect(bodiesOf(await alice.history(next))).toContain('over here');
  }, 60_000);
});

describe('a room into which a server invites that is not in it', () => {
  /** Has the rival invite Alice, as if its own user were in the room. */
  async function invitedByRival(room: string): Promise<void> {
    const { id, pdu } = rival.seal({
      type: 'm.room.member',
      room_id: room,
      sender: `@mallory:${rival.name}`,
      state_key: alice.id,
      content: { membership: 'invite' },
      depth: 5,
      prev_events: [`$${'p'.repeat(43)}`],
      auth_events: [],
    });
    const path = `/_matrix/federation/v2/invite/${encodeURIComponent(room)}/${encodeURIComponent(id)}`;
    const invite = { event: pdu, room_version: '10', invite_room_state: [] };
    expect(await rival.ask(here, 'PUT', path, invite)).toMatchObject({ status: 200 });
  }
  const membershipThere = async (room: string) => (await bob.stateOf(room, 'm.room.member', alice.id)).membership;

  it.each(['before', 'after'])('is joined by the invitation of who is in it, come %s', async (when) => {
    const room = await bob.create('10', { preset: 'private_chat' });
    if (when === 'after') await invitedByRival(room);
    await bob.invite(room, alice);
    if (when === 'before') await invitedByRival(room);
    await alice.join(room);
    await awaitSameState(room, bob, alice);
  });

  it.each(['before', 'after'])('is turned down where the invitation is that counts, come %s', async (when) => {
    const room = await bob.create('10', { preset: 'private_chat' });
    if (when === 'after') await invitedByRival(room);
    await bob.invite(room, alice);
    if (when === 'before') await invitedByRival(room);
    await alice.leave(room);
    await expect.poll(() => membershipThere(room)).toBe('leave');
    expect((await alice.ok('GET', '/sync')).rooms?.invite?.[room]).toBeUndefined();
  });
});

it('all of this is what verify finds in the log', async () => {
  await here.end();
  expect(await annals(here, 'verify')).toMatchObject({ code: 0 });
}, 120_000);
