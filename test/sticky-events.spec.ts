import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { annals } from './support/annals.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { Member } from './support/federation/member.js';
import { type Answer, WITHOUT_PRESENCE } from './support/homeserver.js';
import { path as pathIn } from './support/three-users.js';

const ON = { ...WITHOUT_PRESENCE, ANNALS_STICKY_EVENTS: 'on' };
const DURATION = 'org.matrix.msc4354.sticky_duration_ms';
const WITHIN = 120_000;

let here: FederatingAnnals;
let there: FederatingAnnals;
let count = 0;
let transactions = 0;

beforeAll(async () => {
  const authority = new TestAuthority();
  [here, there] = await Promise.all([FederatingAnnals.begin(authority, ON), FederatingAnnals.begin(authority, ON)]);
}, WITHIN);
afterAll(async () => {
  await here?.remove();
  await there?.remove();
});

/** Alice here, Bob there. */
async function twoMembers(): Promise<[Member, Member]> {
  const n = count++;
  return [await Member.at(here, `alice${n}`), await Member.at(there, `bob${n}`)];
}

async function stick(of: Member, room: string, body: string, ms = 3_600_000): Promise<string> {
  const path = `${pathIn(room, 'send', 'm.room.message', `sticky${transactions++}`)}?${DURATION}=${ms}`;
  return (await of.ok('PUT', path, { msgtype: 'm.text', body })).event_id;
}

/** What a client that begins anew is told of a room, whether or not its timeline shows it. */
async function told(member: Member, room: string): Promise<string[]> {
  const filter = JSON.stringify({ room: { timeline: { limit: 0 } } });
  const { rooms } = await member.ok('GET', `/sync?filter=${encodeURIComponent(filter)}`);
  const events: Answer['body'][] = rooms.join[room]?.msc4354_sticky?.events ?? [];
  return events.map(({ content }) => content.body).toSorted();
}

const untilTold = (member: Member, room: string, bodies: readonly string[]): Promise<void> =>
  expect.poll(() => told(member, room), { timeout: 60_000, interval: 200 }).toEqual(bodies.toSorted());

describe('sticky events in a room of two servers', () => {
  it(
    'reach who joins later by another server, though they may see nothing of what was before',
    async () => {
      const [alice, bob] = await twoMembers();
      const visibility = {
        type: 'm.room.history_visibility',
        state_key: '',
        content: { history_visibility: 'joined' },
      };
      const room = await alice.create('11', { initial_state: [visibility] });
      for (const body of ['one', 'two', 'three']) {
        await stick(alice, room, body);
        for (let n = 0; n < 3; n++) await alice.say(room, 'chatter');
      }
      await stick(alice, room, 'short', 1);
      const { next_batch: since } = await bob.ok('GET', '/sync');
      await bob.join(room, alice);
      await untilTold(bob, room, ['one', 'two', 'three']);
      // Those came after Bob did: somebody who waits hears of each.
      const heard = new Set<string>();
      let token: string = since;
      while (heard.size < 3) {
        const answer = await bob.ok('GET', `/sync?since=${token}&timeout=20000`);
        token = answer.next_batch;
        const events: Answer['body'][] = answer.rooms?.join?.[room]?.msc4354_sticky?.events ?? [];
        for (const { content } of events) heard.add(content.body);
      }
      expect([...heard].toSorted()).toEqual(['one', 'three', 'two']);
      await stick(bob, room, 'of Bob');
      await untilTold(alice, room, ['one', 'two', 'three', 'of Bob']);
    },
    WITHIN,
  );

  it(
    'reach a server that was away once it is back, also where both were killed meanwhile, and are the same from the log alone',
    async () => {
      const [alice, bob] = await twoMembers();
      const room = await alice.create('11');
      await bob.join(room, alice);
      await stick(alice, room, 'before');
      await untilTold(bob, room, ['before']);
      there.line.cut();
      const redacted = await stick(alice, room, 'oops');
      await stick(alice, room, 'while away');
      // More than a server asks for at once of what it missed.
      for (let n = 0; n < 30; n++) await alice.say(room, `${n}`);
      await alice.ok('PUT', pathIn(room, 'redact', redacted, 'r'), {});
      await Promise.all([here.end('SIGKILL'), there.end('SIGKILL')]);
      await Promise.all([here.start(), there.start()]);
      there.line.mend();
      await bob.say(room, 'I am back');
      await untilTold(bob, room, ['before', 'while away']);
      await untilTold(alice, room, ['before', 'while away']);
      await there.end();
      there.removeViews();
      await there.start();
      expect(await told(bob, room)).toEqual(['before', 'while away']);
    },
    WITHIN,
  );

  it(
    'of who was put out where another server did not know it yet are told once they are back',
    async () => {
      const [alice, bob] = await twoMembers();
      const room = await alice.create('11');
      await bob.join(room, alice);
      await stick(bob, room, 'early');
      await untilTold(alice, room, ['early']);
      there.line.cut();
      await alice.kick(room, bob);
      // There Bob is still in the room.
      const late = await stick(bob, room, 'late');
      await expect
        .poll(async () => (await annals(here, 'audit', room)).output, { timeout: 60_000, interval: 500 })
        .toContain('soft-failed');
      expect((await alice.request('GET', pathIn(room, 'event', late))).status).toBe(404);
      expect(await told(alice, room)).toEqual(['early']);
      there.line.mend();
      await expect
        .poll(
          async () => {
            // Whoever is heard from is sent what it lacks.
            await bob.request('GET', `/profile/${alice.id}`);
            return (await bob.ok('GET', '/joined_rooms')).joined_rooms;
          },
          { timeout: 60_000, interval: 500 },
        )
        .not.toContain(room);
      const { next_batch: since } = await alice.ok('GET', '/sync');
      await expect
        .poll(async () => (await bob.request('POST', `/join/${encodeURIComponent(room)}?via=${here.name}`, {})).status)
        .toBe(200);
      await untilTold(alice, room, ['early', 'late']);
      const answer = await alice.ok('GET', `/sync?since=${since}&timeout=20000`);
      expect(JSON.stringify(answer.rooms.join[room])).toContain(bob.id);
      await here.restart('SIGKILL');
      expect(await told(alice, room)).toEqual(['early', 'late']);
    },
    WITHIN,
  );

  it(
    'leave logs behind that hold',
    async () => {
      for (const server of [here, there]) {
        const { code, output } = await annals(server, 'verify');
        expect([code, output]).toEqual([0, expect.any(String)]);
      }
    },
    WITHIN,
  );
});
