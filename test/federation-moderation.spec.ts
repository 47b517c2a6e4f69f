import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { Member } from './support/federation/member.js';
import { path } from './support/three-users.js';

const STARTS = 120_000;
const WITHIN = 60_000;
const SECRET = 'a shared secret';
const REGISTER = '/_synapse/admin/v1/register';

let authority: TestAuthority;
let here: FederatingAnnals;
let there: FederatingAnnals;
let alice: Member;
let bob: Member;
let carol: Member;
let room: string;

beforeAll(async () => {
  authority = new TestAuthority();
  here = await FederatingAnnals.begin(authority);
  there = await FederatingAnnals.begin(authority, { ANNALS_REGISTRATION_SHARED_SECRET: SECRET });
  alice = await Member.at(here, 'alice');
  [bob, carol] = [await Member.at(there, 'bob'), await Member.at(there, 'carol')];
  room = await alice.create('11');
  for (const one of [bob, carol]) await one.join(room, alice);
}, STARTS);
afterAll(async () => {
  await here?.remove();
  await there?.remove();
});

/** What an event says to somebody, once it is there. */
async function bodyFor(who: Member, eventId: string): Promise<string | undefined> {
  const { status, body } = await who.request('GET', path(room, 'event', eventId));
  return status === 200 ? body.content.body : 'not here yet';
}

async function makeAdmin(): Promise<string> {
  const ask = async (method: string, body?: object): Promise<{ nonce: string; access_token: string }> =>
    (await fetch(`${there.base}${REGISTER}`, { method, body: body && JSON.stringify(body) })).json() as never;
  const { nonce } = await ask('GET');
  const mac = createHmac('sha1', SECRET).update([nonce, 'root', 'a password', 'admin'].join('\0')).digest('hex');
  return (await ask('POST', { nonce, username: 'root', password: 'a password', admin: true, mac })).access_token;
}

describe('between servers', () => {
  it(
    'a message is hidden on each, and shown again, by whoever may',
    async () => {
      const said = await bob.say(room, 'pending');
      await expect.poll(() => bodyFor(alice, said)).toBe('pending');
      const relation = { rel_type: 'm.reference', event_id: said };
      await alice.send(room, 'm.visibility', { 'm.relates_to': relation, visible: false });
      await expect.poll(() => bodyFor(carol, said)).toBeUndefined();
      expect([await bodyFor(bob, said), await bodyFor(alice, said)]).toEqual(['pending', 'pending']);
      await alice.send(room, 'm.visibility', { 'm.relates_to': relation, visible: true });
      await expect.poll(() => bodyFor(carol, said)).toBe('pending');
    },
    WITHIN,
  );

  it(
    'an operator without power in the room redacts here alone, and for all what their own users wrote',
    async () => {
      const [foreign, own] = [await alice.say(room, 'of alice'), await bob.say(room, 'of bob')];
      await expect.poll(() => bodyFor(carol, foreign)).toBe('of alice');
      await expect.poll(() => bodyFor(alice, own)).toBe('of bob');
      const token = await makeAdmin();
      for (const user of [alice, bob]) {
        const answer = await fetch(`${there.base}/_synapse/admin/v1/user/${encodeURIComponent(user.id)}/redact`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}` },
          body: JSON.stringify({ rooms: [room], reason: 'unlawful', limit: 1 }),
        });
        expect(answer.status).toBe(200);
      }
      await expect.poll(() => bodyFor(carol, foreign)).toBeUndefined();
      await expect.poll(() => bodyFor(alice, own)).toBeUndefined();
      expect(await bodyFor(alice, foreign)).toBe('of alice');
      // What is said afterwards goes on between them.
      const later = await alice.say(room, 'later');
      await expect.poll(() => bodyFor(carol, later)).toBe('later');
    },
    WITHIN,
  );
});
