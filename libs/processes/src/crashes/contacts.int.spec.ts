import { describe, expect, it } from 'vitest';
import { endAtEachStep } from '#testing/end-at-each-step';
import type { SyncApp, SyncUser } from '#testing/sync-app';

const MINUTES = 10 * 60_000;
const BOOK = '/_matrix/client/unstable/dev.annals.contacts';
const SECRET = 'the secret friend';
// More than go into the log at once.
const CONTACTS = Array.from({ length: 250 }, (_, n) => ({ uid: `u${n}`, name: `Friend ${n}` }));

const peopleOf = async (alice: SyncUser): Promise<readonly { readonly name?: string }[]> =>
  (await alice.ok('GET', `${BOOK}?limit=200`)).chunk;
const textOf = async (app: SyncApp, alice: SyncUser): Promise<string> =>
  (await app.factsOf(`contacts-${alice.userId}`)).map(({ data }) => data).join('\n');

describe('a process that ends', () => {
  it(
    'while somebody puts contacts has put the first of them, and the next one puts the rest and none twice',
    async () => {
      const put = (alice: SyncUser): Promise<unknown> => alice.ok('POST', BOOK, { contacts: CONTACTS });
      const steps = await endAtEachStep({
        prepare: (app: SyncApp) => app.register('alice'),
        act: (app, alice) => put(alice.on(app)),
        async check(app, before, answer) {
          const alice = before.on(app);
          if (answer !== undefined) expect(await peopleOf(alice)).toHaveLength(200);
          await put(alice);
          const facts = await app.factsOf(`contacts-${alice.userId}`);
          expect(facts).toHaveLength(CONTACTS.length);
        },
      });
      expect(steps).toBeGreaterThan(2);
    },
    MINUTES,
  );

  it(
    'while somebody changes a contact leaves it to the next one that the log holds no more of what it said',
    async () => {
      const change = (alice: SyncUser): Promise<unknown> => alice.ok('PUT', `${BOOK}/cards/one`, { name: 'Bob' });
      const steps = await endAtEachStep({
        async prepare(app: SyncApp) {
          const alice = await app.register('alice');
          await alice.ok('PUT', `${BOOK}/cards/one`, { name: SECRET });
          return alice;
        },
        act: (app, alice) => change(alice.on(app)),
        async check(app, before) {
          const alice = before.on(app);
          await change(alice);
          expect(await peopleOf(alice)).toMatchObject([{ name: 'Bob' }]);
          await expect.poll(() => textOf(app, alice)).not.toContain(SECRET);
        },
      });
      expect(steps).toBeGreaterThan(2);
    },
    MINUTES,
  );

  it(
    'while somebody closes their account leaves it to the next one to let go of their address book',
    async () => {
      const close = (alice: SyncUser): Promise<unknown> =>
        alice.call('POST', '/account/deactivate', { auth: alice.auth });
      const steps = await endAtEachStep({
        async prepare(app: SyncApp) {
          const alice = await app.register('alice');
          await alice.ok('PUT', `${BOOK}/cards/one`, { name: SECRET });
          return alice;
        },
        act: (app, alice) => close(alice.on(app)),
        async check(app, before) {
          const alice = before.on(app);
          await close(alice);
          const types = async (): Promise<string[]> =>
            (await app.factsOf(`contacts-${alice.userId}`)).map(({ type }) => type);
          await expect.poll(types).toEqual(['contacts-ended']);
        },
      });
      expect(steps).toBeGreaterThan(2);
    },
    MINUTES,
  );
});
