import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { Member } from './support/federation/member.js';

const STARTS = 120_000;
const WITHIN = 60_000;

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

let count = 0;
/** Alice here, Bob there, who do not know of each other. */
async function twoMembers(): Promise<[Member, Member]> {
  const n = count++;
  return [await Member.at(here, `alice${n}`), await Member.at(there, `bob${n}`)];
}

let transactions = 0;
async function sendTo(from: Member, to: Member, n: number, device = '*', filling = ''): Promise<void> {
  const messages = { [to.id]: { [device]: { n, filling } } };
  await from.ok('PUT', `/sendToDevice/m.test/t${transactions++}`, { messages });
}

describe('messages to devices of another server', () => {
  it(
    'come once each, in the order of their sender, also the long ones, and from whoever shares no room',
    async () => {
      const [alice, bob] = await twoMembers();
      const numbers = Array.from({ length: 12 }, (_, n) => n);
      for (const n of numbers) await sendTo(alice, bob, n, '*', 'x'.repeat((n % 3) * 20_000));
      const told = () => bob.followed.toDevice.map(({ content }) => content.n);
      await bob.followed.until('all messages', () => told().length >= numbers.length);
      expect(told()).toEqual(numbers);
      expect(bob.followed.toDevice[0]).toMatchObject({ type: 'm.test', sender: alice.id });
    },
    WITHIN,
  );

  it(
    'wait while the server cannot be reached, over a restart of ours, and come then, once and in order',
    async () => {
      const [alice, bob] = await twoMembers();
      await sendTo(alice, bob, 0);
      const told = () => bob.followed.toDevice.map(({ content }) => content.n);
      await bob.followed.until('the first', () => told().length > 0);
      there.line.cut();
      for (const n of [1, 2, 3]) await sendTo(alice, bob, n);
      await here.end('SIGKILL');
      await here.start();
      await sendTo(alice, bob, 4);
      there.line.mend();
      // It is there again as soon as it says anything.
      await sendTo(bob, alice, 0);
      await bob.followed.until('all messages', () => told().length >= 5);
      expect(told()).toEqual([0, 1, 2, 3, 4]);
    },
    WITHIN,
  );
});
