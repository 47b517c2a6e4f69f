import { describe, expect, it } from 'vitest';
import { endAtEachStep } from '#testing/end-at-each-step';
import { roomPath, type SyncApp, type SyncUser } from '#testing/sync-app';

const MINUTES = 10 * 60_000;
const pathOf = (room: string, root: string): string =>
  `/_matrix/client/unstable/io.element.msc4306${roomPath(room)}/thread/${encodeURIComponent(root)}/subscription`;

interface Before {
  readonly alice: SyncUser;
  readonly path: string;
}

async function prepare(app: SyncApp): Promise<Before> {
  const alice = await app.register('alice');
  const room = await alice.createRoom();
  return { alice, path: pathOf(room, await alice.send(room, 'a root')) };
}

describe('a process that ends', () => {
  it(
    'while somebody subscribes to their first thread leaves it to the next one that subscriptions let notify',
    async () => {
      const steps = await endAtEachStep({
        prepare,
        act: (app, { alice, path }) => alice.on(app).ok('PUT', path, {}),
        async check(app, before, answer) {
          const alice = before.alice.on(app);
          if (answer !== undefined) expect((await alice.call('GET', before.path)).status).toBe(200);
          await alice.ok('PUT', before.path, {});
          expect(await alice.ok('GET', before.path)).toEqual({ automatic: false });
          const rules = (): Promise<unknown> => alice.ok('GET', '/pushrules/global/postcontent/');
          await expect.poll(rules).toMatchObject([{ enabled: true }, { enabled: true }]);
          const facts = await app.factsOf(`threads-${alice.userId}`);
          expect(facts.map(({ type }) => type)).toEqual(['thread-subscribed']);
        },
      });
      expect(steps).toBeGreaterThan(2);
    },
    MINUTES,
  );

  it(
    'while somebody closes their account leaves it to the next one to let go of their threads',
    async () => {
      const close = (alice: SyncUser): Promise<unknown> =>
        alice.call('POST', '/account/deactivate', { auth: alice.auth });
      const steps = await endAtEachStep({
        async prepare(app: SyncApp) {
          const before = await prepare(app);
          await before.alice.ok('PUT', before.path, {});
          return before;
        },
        act: (app, { alice }) => close(alice.on(app)),
        async check(app, before) {
          const alice = before.alice.on(app);
          await close(alice);
          const types = async (): Promise<string[]> =>
            (await app.factsOf(`threads-${alice.userId}`)).map(({ type }) => type);
          await expect.poll(types).toEqual(['thread-subscriptions-ended']);
          await app.settled();
          expect(await app.views.scan('thread-subscriptions', { prefix: [alice.userId], limit: 1 })).toEqual([]);
        },
      });
      expect(steps).toBeGreaterThan(2);
    },
    MINUTES,
  );
});
