import { afterAll, beforeAll, expect, it } from 'vitest';
import { SUBSCRIPTIONS_STREAM_PREFIX } from '#ephemeral/facts/subscription-facts';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { START } from '#kernel/position';
import { SyncApp, type SyncUser } from '#testing/sync-app';
import { TellLists } from './tell-lists.effect.js';

let app: SyncApp;
beforeAll(async () => void (app = await SyncApp.start(undefined, { ANNALS_PRESENCE: 'on' })));
afterAll(() => app.close());

const listPath = ({ userId }: SyncUser): string => `/presence/list/${encodeURIComponent(userId)}`;
const change = async (who: SyncUser, body: object): Promise<void> => {
  expect((await who.v1('POST', listPath(who), body)).status).toBe(200);
  await app.settled();
};

it.each([
  ['taken back', 'alice', 'bob'],
  ['refused', 'carol', 'dan'],
])(
  'who is let in stays so though all that led to it is told again after a crash, what was asked and %s before, too',
  async (before, asks, answers) => {
    const [alice, bob] = [await app.register(asks), await app.register(answers)];
    await change(alice, { invite: [bob.userId] });
    if (before === 'refused') await change(bob, { decline: [alice.userId] });
    else await change(alice, { drop: [bob.userId] });
    await change(alice, { invite: [bob.userId] });
    await change(bob, { accept: [alice.userId] });
    const expectLetIn = async (): Promise<void> => {
      expect((await alice.v1('GET', listPath(alice))).body).toMatchObject([{ user_id: bob.userId, accepted: true }]);
      const { body: watchers } = await bob.v1('GET', `${listPath(bob)}/watchers`);
      expect(watchers).toEqual([{ user_id: alice.userId, accepted: true }]);
    };
    await expectLetIn();
    const effect = app.get(TellLists);
    for await (const facts of app.get<EventStore>(EVENT_STORE as never).readAll({ after: START })) {
      for (const fact of facts) {
        if (!fact.stream.startsWith(SUBSCRIPTIONS_STREAM_PREFIX) || effect.keyOf(fact) === undefined) continue;
        await effect.run(fact);
        await app.settled();
      }
    }
    await expectLetIn();
  },
);
