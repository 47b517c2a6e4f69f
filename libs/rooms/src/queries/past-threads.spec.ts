import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { ForkedRoom } from '#testing/forked-room';
import { ALICE, type LocalRoom } from '#testing/local-room';
import type { RoomViews } from '#testing/room-views';
import { CAROL, roomWithCarol } from '#testing/room-with-carol';
import { listThreads, type ThreadsRequest } from './list-threads.js';
import { readBundles } from './read-bundles.js';

let room: LocalRoom;
let others: ForkedRoom;
let views: RoomViews;
/** After which the past is that this server missed. */
let gap: readonly EventId[];

beforeEach(begin);

async function begin(): Promise<void> {
  ({ room, others, views } = await roomWithCarol());
  gap = await others.extremities();
  for (const text of ['after', 'the', 'gap']) await room.say(text);
}

const inThread = (root: EventId) => ({
  type: 'm.room.message',
  content: { body: 'in it', 'm.relates_to': { event_id: root, rel_type: 'm.thread' } },
});

/** Fetches a message of the gap, in a thread or as the root of one. */
function fetch(parent: EventId, root?: EventId, sender = CAROL): Promise<RoomEvent> {
  const draft = root === undefined ? { type: 'm.room.message', content: { body: 'root' } } : inThread(root);
  return others.fetch({ ...draft, sender, prevEvents: [parent] });
}

async function threads(request: Partial<ThreadsRequest> = {}): Promise<EventId[]> {
  await views.follow();
  const reader = { userId: ALICE, ignored: new Set<UserId>() };
  const ids: EventId[] = [];
  let from = request.from;
  for (;;) {
    const page = await listThreads(views, room.roomId, reader, { limit: 2, participated: false, ...request, from });
    ids.push(...page.roots.map(({ header }) => header.eventId));
    if (page.next === undefined) return ids;
    from = page.next;
  }
}

describe('a thread of which all is of the past', () => {
  it('is listed behind those with news, in the order of their last events in the graph', async () => {
    const [first, second, third] = [await fetch(gap[0]!), await fetch(gap[0]!), await fetch(gap[0]!)];
    const one = await fetch(third.eventId, first.eventId);
    const two = await fetch(one.eventId, second.eventId);
    await fetch(first.eventId, third.eventId);
    expect(await threads()).toEqual([second, third, first].map(({ eventId }) => eventId));
    // What is fetched later may be the last of a thread nevertheless.
    await fetch(two.eventId, third.eventId);
    expect(await threads()).toEqual([third, second, first].map(({ eventId }) => eventId));
    const news = await room.say('news');
    await room.send(inThread(news.eventId));
    expect(await threads()).toEqual([news, third, second, first].map(({ eventId }) => eventId));
    await room.send(inThread(first.eventId));
    expect(await threads()).toEqual([first, news, third, second].map(({ eventId }) => eventId));
  });

  it('is told with its events summed up, and as one that the reader took part in where they did', async () => {
    const [theirs, own] = [await fetch(gap[0]!), await fetch(gap[0]!)];
    const last = await fetch(theirs.eventId, theirs.eventId);
    await fetch(gap[0]!, theirs.eventId);
    await fetch(own.eventId, own.eventId, ALICE);
    await views.follow();
    const reader = { userId: ALICE, ignored: new Set<UserId>() };
    const { room: there, roots } = await listThreads(views, room.roomId, reader, { limit: 5, participated: false });
    const bundles = await readBundles(there, roots, {});
    const thread = bundles.get(theirs.eventId)?.thread;
    expect(thread).toMatchObject({ count: 2, participated: false, latest: { header: { eventId: last.eventId } } });
    expect(await threads({ participated: true })).toEqual([own.eventId]);
  });

  it('is found where its news were redacted, and not where all of it was', async () => {
    const [one, two] = [await fetch(gap[0]!), await fetch(gap[0]!)];
    const past = await fetch(one.eventId, one.eventId);
    await fetch(past.eventId, two.eventId);
    const news = await room.send(inThread(one.eventId));
    expect(await threads()).toEqual([one.eventId, two.eventId]);
    await room.redact(news);
    expect(await threads()).toEqual([two.eventId, one.eventId]);
    await room.redact(past);
    expect(await threads()).toEqual([two.eventId]);
  });

  it('stands where its last event does, whatever comes and is redacted in whichever order', async () => {
    const step = fc.record({ kind: fc.constantFrom('fetch', 'say', 'redact'), on: fc.nat(9), root: fc.nat(2) });
    const property = fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      await begin();
      const roots = [await fetch(gap[0]!), await fetch(gap[0]!), await fetch(gap[0]!)];
      const said: { event: RoomEvent; root: EventId; isNews: boolean; isThere: boolean }[] = [];
      for (const { kind, on, root: at } of steps) {
        const root = roots[at]!.eventId;
        const one = said[on];
        if (kind === 'say') said.push({ event: await room.send(inThread(root)), root, isNews: true, isThere: true });
        else if (kind === 'fetch') {
          const parent = said.findLast(({ isNews }, i) => !isNews && i <= on)?.event.eventId ?? gap[0]!;
          said.push({ event: await fetch(parent, root), root, isNews: false, isThere: true });
        } else if (one?.isThere === true) {
          await room.redact(one.event);
          one.isThere = false;
        }
      }
      const left = said.map((one, arrived) => ({ ...one, arrived })).filter(({ isThere }) => isThere);
      const news = left.filter(({ isNews }) => isNews);
      const past = left.filter(({ isNews, root }) => !isNews && !news.some((one) => one.root === root));
      past.sort((a, b) => a.event.depth - b.event.depth || a.arrived - b.arrived);
      const expected = [...news.toReversed(), ...past.toReversed()].map(({ root }) => root);
      expect(await threads()).toEqual([...new Set(expected)]);
    });
    await fc.assert(property, { numRuns: 40 });
  });
});
