import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectTold } from './support/federation/expect-told.js';
import { awaitSameState } from './support/federation/member.js';
import { type Pair, Shared } from './support/federation/shared.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';
import { speaksThrough } from './support/federation/speaks-through.js';

/** So many messages of a room are more than one transaction holds, and more than a server asks for at once. */
const MESSAGES = 60;
const ROOMS = 3;
/** So many are more than may wait of one server. */
const BURST = 1_000;

const shared = new Shared({ name: 'Synapse', start: startSynapse, isThere: SYNAPSE !== undefined, versions: [] });

describe.skipIf(SYNAPSE === undefined)('rooms shared with a Synapse', () => {
  beforeAll(() => shared.start());
  afterAll(() => shared.end());

  it.each(['other', 'ours'] as const)('are caught up with by who was away for long: %s', async (which) => {
    const rooms: (Pair & { room: string })[] = [];
    for (let i = 0; i < ROOMS; i++) rooms.push(await shared.room(i % 2 === 0 ? 'our side' : 'their side', '10'));
    const [stays, goes] = which === 'ours' ? [shared.bob, shared.alice] : [shared.alice, shared.bob];
    await shared[which].end();
    const said = await Promise.all(
      rooms.map(async ({ room }) => {
        const ids: string[] = [];
        for (let i = 0; i < MESSAGES; i++) ids.push(await stays.say(room, `${i}`));
        return ids;
      }),
    );
    await shared[which].restart();
    // Whoever is back is heard of in one of the rooms: the others come by themselves.
    said[0]!.push(await goes.say(rooms[0]!.room, 'I am back'));
    for (const [i, { room }] of rooms.entries()) {
      await goes.followed.untilTold(room, said[i]!.at(-1)!);
      await awaitSameState(room, stays, goes);
      await expect.poll(async () => (await goes.messages(room)).toSorted()).toEqual(said[i]!.toSorted());
    }
  });

  it('have all that was said while ours was too slow to take it, each message once, though nothing is said after that', async () => {
    const { alice, bob } = shared;
    const { room } = await shared.room('their side', '11');
    const said: string[] = [];
    for (const pause of ['SIGSTOP', 'SIGCONT'] as const) {
      shared.ours.signal(pause);
      for (let i = 0; i < BURST / 2; i += 10) {
        said.push(...(await Promise.all(Array.from({ length: 10 }, (_, n) => bob.say(room, `${i + n}`)))));
      }
    }
    await alice.followed.untilTold(room, said.at(-1)!);
    const told = async (): Promise<string[]> => alice.messages(room);
    await expect.poll(async () => (await told()).toSorted()).toEqual(said.toSorted());
    expect(await told()).toEqual(await bob.messages(room));
    await awaitSameState(room, alice, bob);
  });

  it.each(['other', 'ours'] as const)(
    'lose nothing and double nothing where one is killed while all talk: %s',
    async (which) => {
      const { maker, comer, room } = await shared.room('their side', '11');
      const to = which === 'ours' ? shared.alice : shared.bob;
      const from = to === maker ? comer : maker;
      const before = to.followed.toDevice.length;
      const talk = [maker, comer].map((member) => speaksThrough(member, room, 20));
      const numbers = Array.from({ length: 15 }, (_, i) => i);
      const counting = (async () => {
        for (const i of numbers) await from.toDevice(to, 'org.example.count', { i });
      })();
      await Promise.all(talk.map(({ hasSaid }) => hasSaid(8)));
      await shared[which].restart('SIGKILL');
      await counting;
      const ids = (await Promise.all(talk.map(({ all }) => all))).flat();
      for (const member of [maker, comer]) {
        await member.followed.untilTold(room, await (member === maker ? comer : maker).say(room, 'all said'));
        const told = async () => (await member.messages(room)).filter((id) => ids.includes(id)).toSorted();
        await expectTold(member, told, ids.toSorted());
      }
      await awaitSameState(room, maker, comer);
      await to.followed.until('all messages', ({ toDevice }) => toDevice.length >= before + numbers.length);
      expect(to.followed.toDevice.slice(before).map(({ content }) => content.i)).toEqual(numbers);
    },
  );
});
