import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { registerAdmin, SHARED_SECRET } from './support/admin.js';
import { type Ask, DIALECTS } from './support/dialects.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { ForeignKey } from './support/federation/foreign-events.js';
import { HostileServer } from './support/federation/hostile-server.js';
import { Member } from './support/federation/member.js';
import type { Answer } from './support/homeserver.js';
import { path, refusal } from './support/three-users.js';

const STARTS = 120_000;
const WITHIN = 60_000;

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
  there = await FederatingAnnals.begin(authority, { ANNALS_REGISTRATION_SHARED_SECRET: SHARED_SECRET });
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
      const token = await registerAdmin(there);
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

describe('a policy server of a room on two servers', () => {
  const key = new ForeignKey('ed25519:policy_server');
  let policy: HostileServer;
  let guarded: string;
  /** What it was asked about, in order. */
  let asked: string[];
  let isAway = false;

  beforeAll(async () => {
    policy = await HostileServer.start(authority);
    policy.on('/_matrix/federation/v1/send/.*', () => ({ pdus: {} }));
    policy.on('/_matrix/policy/v1/sign', ({ body }, response) => {
      if (isAway) return void response.destroy();
      asked.push(body.content.body);
      if (body.content.body.startsWith('spam')) return [400, { errcode: 'M_FORBIDDEN', error: 'This looks like spam' }];
      return { [policy.name]: { [key.id]: key.signatureOfEvent(body) } };
    });
    guarded = await alice.create('10');
    await bob.join(guarded, alice);
    const { user: eve } = await policy.join(here, guarded, 'eve');
    await alice.setState(guarded, 'm.room.policy', { via: policy.name, public_keys: { ed25519: key.publicKey } });
    const known = async (type: string, stateKey = ''): Promise<number> =>
      (await bob.request('GET', path(guarded, 'state', type, stateKey))).status;
    const isTold = async (): Promise<void> =>
      expect([await known('m.room.member', eve), await known('m.room.policy')]).toEqual([200, 200]);
    await vi.waitFor(isTold, { timeout: 60_000, interval: 50 });
  }, WITHIN);
  afterAll(() => policy?.stop());

  let transactions = 0;
  const say = (ask: Ask, who: Member, body: string, txn = `p${transactions++}`): Promise<Answer> =>
    ask(who, 'PUT', path(guarded, 'send', 'm.room.message', txn), { msgtype: 'm.text', body });
  const heardBy = async (who: Member): Promise<unknown[]> =>
    (await who.history(guarded, 100)).map(({ content }) => content.body).filter((body) => body !== undefined);

  it.each(DIALECTS)(
    'is asked once for what either sends, refuses in its own words, and where it is away nothing is lost: %s',
    async (dialect, ask) => {
      asked = [];
      for (const [sender, reader] of [
        [alice, bob],
        [bob, alice],
      ] as const) {
        const [ham, spam, later] = ['ham', 'spam', 'later'].map((word) => `${word} of ${sender.id} in ${dialect}`) as [
          string,
          string,
          string,
        ];
        const refused = await say(ask, sender, spam);
        expect([...refusal(refused), refused.body.error]).toEqual([400, 'M_FORBIDDEN', 'This looks like spam']);
        expect((await say(ask, sender, ham)).status).toBe(200);
        await expect.poll(() => heardBy(reader)).toContain(ham);
        isAway = true;
        const txn = `away ${later}`;
        expect(refusal(await say(ask, sender, later, txn))).toEqual([503, 'M_UNKNOWN']);
        isAway = false;
        expect((await say(ask, sender, later, txn)).status).toBe(200);
        await expect.poll(() => heardBy(reader)).toContain(later);
        for (const who of [sender, reader]) expect(await heardBy(who)).not.toContain(spam);
        expect(asked.splice(0)).toEqual([spam, ham, later]);
      }
    },
    WITHIN,
  );
});
