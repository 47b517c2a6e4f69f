import { describe, expect, it } from 'vitest';
import { endAtEachStep } from '#testing/end-at-each-step';
import { roomPath, type SyncApp, type SyncUser } from '#testing/sync-app';

const MINUTES = 10 * 60_000;
const NAME = 'Alice the Second';

interface Before {
  readonly alice: SyncUser;
  readonly rooms: readonly string[];
}

async function prepare(app: SyncApp): Promise<Before> {
  const alice = await app.register('alice');
  const rooms = [await alice.createRoom(), await alice.createRoom(), await alice.createRoom()];
  return { alice, rooms };
}

const profilePath = ({ userId }: SyncUser, key: string): string => `/profile/${encodeURIComponent(userId)}/${key}`;
const namesIn = (alice: SyncUser, rooms: readonly string[]): Promise<unknown[]> =>
  Promise.all(
    rooms.map(async (room) => {
      const path = `${roomPath(room)}/state/m.room.member/${encodeURIComponent(alice.userId)}`;
      return (await alice.ok('GET', path)).displayname;
    }),
  );

describe('a process that ends', () => {
  it(
    'while somebody changes their name leaves it to the next one to tell each room of it, once',
    async () => {
      const steps = await endAtEachStep({
        prepare,
        act: (app, { alice }) => alice.on(app).ok('PUT', profilePath(alice, 'displayname'), { displayname: NAME }),
        async check(app, { alice: before, rooms }, answer) {
          const alice = before.on(app);
          const profile = await alice.ok('GET', profilePath(alice, 'displayname'));
          if (answer !== undefined) expect(profile).toEqual({ displayname: NAME });
          await alice.ok('PUT', profilePath(alice, 'displayname'), { displayname: NAME });
          await expect.poll(() => namesIn(alice, rooms)).toEqual([NAME, NAME, NAME]);
          for (const room of rooms) {
            const facts = await app.factsOf(`room-${room}`);
            expect(facts.filter(({ data }) => data.includes(NAME))).toHaveLength(1);
          }
        },
      });
      expect(steps).toBeGreaterThan(3);
    },
    MINUTES,
  );

  it(
    'while somebody closes a field leaves it to the next one that no room shows it any more',
    async () => {
      const path = '/_matrix/client/unstable/dev.annals.profile';
      const close = (alice: SyncUser): Promise<unknown> =>
        alice.ok('PUT', `${path}/${encodeURIComponent(alice.userId)}/displayname/readers`, { readers: ['rooms'] });
      const steps = await endAtEachStep({
        async prepare(app: SyncApp) {
          const before = await prepare(app);
          await before.alice.ok('PUT', profilePath(before.alice, 'displayname'), { displayname: NAME });
          return before;
        },
        act: (app, { alice }) => close(alice.on(app)),
        async check(app, { alice: before, rooms }) {
          const alice = before.on(app);
          await close(alice);
          await expect.poll(() => namesIn(alice, rooms)).toEqual([undefined, undefined, undefined]);
          expect(await alice.ok('GET', profilePath(alice, 'displayname'))).toEqual({ displayname: NAME });
        },
      });
      expect(steps).toBeGreaterThan(3);
    },
    MINUTES,
  );
});
