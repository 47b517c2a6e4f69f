import { expect, it } from 'vitest';
import { Erasures } from '#admin/erasures/erasures';
import type { UserId } from '#kernel/ids';
import { endAtEachStep } from '#testing/end-at-each-step';
import { roomPath } from '#testing/sync-app';

const MINUTES = 15 * 60_000;
const SECRET = 'quixotic';

it(
  'a process that ends while somebody is erased leaves all of what they said, or nothing once the next has begun',
  async () => {
    await endAtEachStep({
      async prepare(app) {
        const [alice, bob] = [await app.register('alice'), await app.register('bob')];
        const roomId = await bob.createRoom({ preset: 'public_chat' });
        await alice.ok('PUT', `/profile/${alice.userId}/displayname`, { displayname: SECRET });
        await alice.join(roomId);
        await alice.send(roomId, SECRET);
        return { alice, bob, roomId };
      },
      act: (app, { alice }) => app.get(Erasures).order({ user_id: alice.userId as UserId, content: true }, 'server'),
      async check(app, { alice, bob, roomId }, answer) {
        const erasures = [...(await app.get(Erasures).load()).values()].filter(({ content }) => content === true);
        if (answer !== undefined) expect(erasures).toHaveLength(1);
        for (const { ended } of erasures) {
          expect(ended?.refused).toBeUndefined();
          expect(ended?.removed).toMatchObject({ messages: 1, memberships: 1 });
        }
        const isErased = erasures.length > 0;
        const { chunk } = await bob.on(app).ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=50`);
        expect(JSON.stringify(chunk).includes(SECRET)).toBe(!isErased);
        expect((await alice.on(app).call('GET', '/account/whoami')).status).toBe(isErased ? 401 : 200);
        let log = '';
        for (const stream of [`room-${roomId}`, `user-${alice.userId}`])
          for await (const { data } of app.store.readStream(stream)) log += data;
        expect(log.includes(SECRET)).toBe(!isErased);
      },
    });
  },
  MINUTES,
);
