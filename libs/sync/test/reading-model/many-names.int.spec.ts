import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** More member events of one user than any list of a store's is read in one go. */
const NAMES = 10_100;
const AT_ONCE = 100;

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let roomId: string;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob] = await Promise.all([app.register('alice'), app.register('bob')]);
  roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const path = `${roomPath(roomId)}/state/m.room.member/${encodeURIComponent(bob.userId)}`;
  for (let name = 0; name < NAMES; name += AT_ONCE) {
    const names = Array.from({ length: AT_ONCE }, (_, i) => ({ membership: 'join', displayname: `bob ${name + i}` }));
    await Promise.all(names.map((content) => bob.ok('PUT', path, content)));
  }
}, 600_000);
afterAll(() => app.close());

describe('who has had ten thousand names', () => {
  it('reads nothing of what comes after their stay, like anybody else', async () => {
    const before = await alice.send(roomId, 'before');
    const { next_batch: since } = await bob.sync();
    await alice.ok('POST', `${roomPath(roomId)}/kick`, { user_id: bob.userId });
    const after = await alice.send(roomId, 'after');
    const topic = await alice.setState(roomId, 'm.room.topic', { topic: 'after' });

    const statusOf = async (eventId: string): Promise<number> =>
      (await bob.call('GET', `${roomPath(roomId)}/event/${encodeURIComponent(eventId)}`)).status;
    expect([await statusOf(before), await statusOf(after), await statusOf(topic)]).toEqual([200, 404, 404]);
    expect((await bob.call('GET', `${roomPath(roomId)}/joined_members`)).status).toBe(403);

    const filter = { room: { include_leave: true } };
    const answers = await Promise.all([
      bob.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=20`),
      bob.ok('GET', `${roomPath(roomId)}/context/${encodeURIComponent(before)}`),
      bob.ok('GET', `${roomPath(roomId)}/state`),
      bob.v1('GET', `/rooms/${encodeURIComponent(roomId)}/initialSync`),
      bob.ok('GET', `/events?from=${since}&timeout=0`),
      bob.sync({ filter }),
      bob.sync({ filter, since }),
      bob.sync({ filter, since, use_state_after: true }),
    ]);
    for (const answer of answers) {
      expect(JSON.stringify(answer)).not.toContain(after);
      expect(JSON.stringify(answer)).not.toContain(topic);
    }
    expect(JSON.stringify(answers[0])).toContain(before);
  });

  it('reads on from where they come back', async () => {
    const away = await alice.send(roomId, 'away');
    await bob.join(roomId);
    const back = await alice.send(roomId, 'back');
    const { chunk } = await bob.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=3`);
    expect(chunk.map((event: { event_id: string }) => event.event_id)).toEqual([back, expect.any(String), away]);
  });
});
