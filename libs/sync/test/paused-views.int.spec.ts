import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SlidingClient } from '#testing/sliding-client';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';
import { ActiveUsers } from '#sync/notifier/active-users';

/** What becomes of requests while views are paused, and once those go on. */

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let roomId: string;

beforeEach(async () => {
  app = await SyncApp.start();
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
  roomId = await alice.createRoom({ preset: 'public_chat' });
});
afterEach(() => app.close());

/** Longer than a test may take: nobody is told of anything because the time is up. */
const TIMEOUT = 110_000;
const LISTS = { lists: { all: { ranges: [[0, 99]], timeline_limit: 10, required_state: [] } } };

/** Asks once more from where its client is, waiting for news, and answers what it was told. */
type Poll = () => Promise<string>;

/** Each kind of request that waits for news. */
const KINDS: readonly ((user: SyncUser) => Promise<Poll>)[] = [
  async (user) => {
    let { next_batch: since } = await user.sync();
    return async () => {
      const answer = await user.sync({ since, timeout: TIMEOUT });
      since = answer.next_batch;
      return JSON.stringify(answer);
    };
  },
  async (user) => {
    let { end: from } = await user.ok('GET', '/events?timeout=0');
    return async () => {
      const answer = await user.ok('GET', `/events?${queryOf({ from, timeout: TIMEOUT })}`);
      from = answer.end;
      return JSON.stringify(answer);
    };
  },
  async (user) => {
    const client = new SlidingClient(user);
    await client.next(LISTS);
    return async () => JSON.stringify(await client.next(LISTS, TIMEOUT));
  },
];

async function untilTold(poll: Poll, text: string): Promise<void> {
  while (!(await poll()).includes(text));
}

async function untilWaiting(count: number): Promise<void> {
  await expect.poll(() => app.get(ActiveUsers).numbers.waiting).toBe(count);
}

describe.each(['timeline', 'membership'])('while %s is paused', (name) => {
  it('requests wait, and are told what happened once it goes on', { timeout: 60_000 }, async () => {
    await bob.join(roomId);
    const polls = await Promise.all(KINDS.map((begin) => begin(bob)));
    await app.views.operations.pause(name, 'to look at it');
    await alice.send(roomId, 'said meanwhile');
    const told = polls.map((poll) => untilTold(poll, 'said meanwhile'));
    await untilWaiting(polls.length);
    await app.views.operations.resume(name);
    await Promise.all(told);
  });

  it('over a restart too, also of a room that somebody came into', { timeout: 60_000 }, async () => {
    const polls = await Promise.all(KINDS.map((begin) => begin(bob)));
    await app.views.operations.pause(name, 'to look at it');
    await bob.ok('POST', `/join/${encodeURIComponent(roomId)}`, {});
    await alice.ok('PUT', `${roomPath(roomId)}/send/m.room.message/1`, { msgtype: 'm.text', body: 'said meanwhile' });
    await app.restart();
    const told = polls.map((poll) => untilTold(poll, 'said meanwhile'));
    await untilWaiting(polls.length);
    await app.views.operations.resume(name);
    await Promise.all(told);
  });
});
