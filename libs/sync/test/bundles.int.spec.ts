import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let carol: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob, carol] = await Promise.all([app.register('alice'), app.register('bob'), app.register('carol')]);
});
afterAll(() => app.close());

async function sharedRoom(): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  await carol.join(roomId);
  return roomId;
}

type Event = { event_id: string; content: object; unsigned?: { 'm.relations'?: Record<string, object> } };
const related = (relType: string, eventId: string, more: object = {}): object => ({
  'm.relates_to': { rel_type: relType, event_id: eventId },
  ...more,
});
const edit = (user: SyncUser, roomId: string, eventId: string, body: string): Promise<string> =>
  user.send(roomId, `* ${body}`, related('m.replace', eventId, { 'm.new_content': { msgtype: 'm.text', body } }));
const redact = (user: SyncUser, roomId: string, eventId: string): Promise<unknown> =>
  user.ok('PUT', `${roomPath(roomId)}/redact/${encodeURIComponent(eventId)}/r${eventId.slice(1, 12)}`, {});
const bundleOf = async (user: SyncUser, roomId: string, eventId: string): Promise<Record<string, object> | undefined> =>
  (await user.ok('GET', `${roomPath(roomId)}/event/${encodeURIComponent(eventId)}`)).unsigned['m.relations'];
const ignore = (user: SyncUser, users: object): Promise<unknown> =>
  user.ok('PUT', `/user/${user.userId}/account_data/m.ignored_user_list`, { ignored_users: users });
const threadsOf = (user: SyncUser, roomId: string, query = ''): Promise<{ chunk: Event[]; next_batch?: string }> =>
  user.ok('GET', `/_matrix/client/v1${roomPath(roomId)}/threads${query}`);
const ids = ({ chunk }: { chunk: Event[] }): string[] => chunk.map((event) => event.event_id);

/** An event as text, but for how old it and those within it are. */
const withoutAge = (event: unknown): unknown =>
  JSON.parse(JSON.stringify(event, (key, value: unknown) => (key === 'age' ? undefined : value)));

describe('bundled aggregations', () => {
  it('sum up threads, replacements and references, by every door of today that is to tell them', async () => {
    const roomId = await sharedRoom();
    const root = await alice.send(roomId, 'root');
    const last = await bob.send(roomId, 'reply', related('m.thread', root));
    const edited = await edit(bob, roomId, last, 'better');
    const reference = await bob.send(roomId, 'see', related('m.reference', root));
    const correction = await edit(alice, roomId, root, 'roots');
    await alice.send(roomId, 'reaction', related('m.annotation', root, { key: 'x' }));
    const expected = {
      'm.thread': {
        count: 1,
        current_user_participated: false,
        latest_event: { event_id: last, unsigned: { 'm.relations': { 'm.replace': { event_id: edited } } } },
      },
      'm.replace': { event_id: correction, sender: alice.userId, content: { body: '* roots' } },
      'm.reference': { chunk: [{ event_id: reference }] },
    };
    const id = encodeURIComponent(root);
    const path = roomPath(roomId);
    const find = (events: Event[]): Event | undefined => events.find((event) => event.event_id === root);
    const found: Record<string, Event | undefined> = {
      event: await carol.ok('GET', `${path}/event/${id}`),
      context: (await carol.ok('GET', `${path}/context/${id}`)).event,
      'context of another': find((await carol.ok('GET', `${path}/context/${encodeURIComponent(last)}`)).events_before),
      messages: find((await carol.ok('GET', `${path}/messages?dir=b&limit=20`)).chunk),
      sync: find(
        (await carol.sync({ filter: { room: { timeline: { limit: 6 } } } })).rooms.join[roomId].timeline.events,
      ),
      threads: find((await threadsOf(carol, roomId)).chunk),
    };
    for (const [name, event] of Object.entries(found)) {
      expect(event?.unsigned?.['m.relations'], name).toMatchObject(expected);
      expect(Object.keys(event!.unsigned!['m.relations']!).toSorted(), name).toEqual(Object.keys(expected).toSorted());
    }
    const relations = await carol.ok('GET', `/_matrix/client/v1${path}/relations/${id}/m.thread`);
    expect(relations.chunk[0].unsigned['m.relations']['m.replace'].event_id).toBe(edited);
    const v1 = (await carol.v1('GET', `${path}/messages?from=END&dir=b&limit=20`)).body;
    expect(JSON.stringify(v1)).not.toContain('m.relations');
  });

  it('take the newest valid replacement, and none of a redacted event', async () => {
    const roomId = await sharedRoom();
    const event = await alice.send(roomId, 'first');
    const second = await edit(alice, roomId, event, 'second');
    const third = await edit(alice, roomId, event, 'third');
    await edit(bob, roomId, event, 'of somebody else');
    await edit(alice, roomId, third, 'an edit of an edit');
    await alice.send(roomId, 'no new content', related('m.replace', event));
    expect(await bundleOf(bob, roomId, event)).toMatchObject({ 'm.replace': { event_id: third } });
    expect(await bundleOf(bob, roomId, third)).toBeUndefined();
    await redact(alice, roomId, third);
    expect(await bundleOf(bob, roomId, event)).toMatchObject({ 'm.replace': { event_id: second } });
    await redact(alice, roomId, event);
    expect(await bundleOf(bob, roomId, event)).toBeUndefined();
  });

  it('and what redacted an event are told the same, whatever else is asked for with it', async () => {
    const roomId = await sharedRoom();
    const edited = await alice.send(roomId, 'first');
    const correction = await edit(alice, roomId, edited, 'better');
    const gone = await alice.send(roomId, 'gone');
    const { event_id: redaction } = (await redact(alice, roomId, gone)) as { event_id: string };
    for (const parent of [correction, redaction]) await bob.send(roomId, 'see', related('m.reference', parent));
    await redact(alice, roomId, redaction);
    const path = roomPath(roomId);
    const { chunk } = await carol.ok('GET', `${path}/messages?dir=b&limit=20`);
    for (const eventId of [edited, gone]) {
      const alone = await carol.ok('GET', `${path}/event/${encodeURIComponent(eventId)}`);
      const among = (chunk as Event[]).find(({ event_id: id }) => id === eventId)!;
      expect(withoutAge(among)).toEqual(withoutAge(alone));
    }
  });

  it('count no redacted and no ignored events, and know who took part', async () => {
    const roomId = await sharedRoom();
    const root = await alice.send(roomId, 'root');
    const [one] = [
      await bob.send(roomId, '1', related('m.thread', root)),
      await bob.send(roomId, '2', related('m.thread', root)),
    ];
    const two = await carol.send(roomId, '3', related('m.thread', root));
    const thread = async (user: SyncUser): Promise<object> => (await bundleOf(user, roomId, root))?.['m.thread'] ?? {};
    expect(await thread(alice)).toMatchObject({ count: 3, current_user_participated: true });
    await ignore(alice, { [carol.userId]: {} });
    expect(await thread(alice)).toMatchObject({ count: 2, latest_event: { sender: bob.userId } });
    await ignore(alice, {});
    await redact(carol, roomId, two);
    expect(await thread(carol)).toMatchObject({ count: 2, current_user_participated: false });
    await redact(bob, roomId, one);
    expect(await thread(bob)).toMatchObject({ count: 1, current_user_participated: true });
  });

  it('tell nothing of what the reader may not see', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(roomId);
    const root = await alice.send(roomId, 'root');
    await alice.send(roomId, 'before', related('m.thread', root));
    await bob.leave(roomId);
    await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
    await alice.send(roomId, 'a secret', related('m.thread', root));
    await alice.send(roomId, 'another', related('m.reference', root));
    const bundle = await bundleOf(bob, roomId, root);
    expect(bundle).toMatchObject({ 'm.thread': { count: 1, latest_event: { content: { body: 'before' } } } });
    expect(bundle).not.toHaveProperty('m.reference');
  });

  it('come in a sync only with a limited timeline', async () => {
    const roomId = await sharedRoom();
    const { next_batch: since } = await bob.sync();
    await alice.send(roomId, 'earlier');
    const root = await alice.send(roomId, 'root');
    await alice.send(roomId, 'reply', related('m.thread', root));
    const find = async (limit: number): Promise<Event> => {
      const { timeline } = (await bob.sync({ since, filter: { room: { timeline: { limit } } } })).rooms.join[roomId];
      return timeline.events.find((event: Event) => event.event_id === root);
    };
    expect((await find(10)).unsigned).not.toHaveProperty(['m.relations']);
    expect((await find(2)).unsigned).toHaveProperty(['m.relations', 'm.thread', 'count'], 1);
  });
});

describe('the threads of a room', () => {
  it('are told by their last events, in pages, all or those one took part in', async () => {
    const roomId = await sharedRoom();
    const roots: string[] = [];
    for (let i = 0; i < 5; i++) roots.push(await alice.send(roomId, `root ${i}`));
    for (const root of roots) await bob.send(roomId, 'reply', related('m.thread', root));
    await carol.send(roomId, 'reply', related('m.thread', roots[1]!));
    const order = [1, 4, 3, 2, 0].map((i) => roots[i]!);
    expect(ids(await threadsOf(carol, roomId))).toEqual(order);
    const paged: string[] = [];
    let from: string | undefined;
    for (let pages = 0; pages < 5; pages++) {
      const page = await threadsOf(carol, roomId, `?limit=2${from === undefined ? '' : `&from=${from}`}`);
      paged.push(...ids(page));
      from = page.next_batch;
      if (from === undefined) break;
    }
    expect(paged).toEqual(order);
    expect(ids(await threadsOf(carol, roomId, '?include=participated'))).toEqual([roots[1]]);
    expect(ids(await threadsOf(alice, roomId, '?include=participated'))).toEqual(order);
    for (const query of ['?from=x', '?from=h', '?from=h99999999999999999999', '?limit=0', '?include=some']) {
      const answer = await carol.call('GET', `/_matrix/client/v1${roomPath(roomId)}/threads${query}`);
      expect(answer, query).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
    }
  });

  it('are closed to strangers, and show the root of an ignored user without its content', async () => {
    const roomId = await sharedRoom();
    const root = await alice.send(roomId, 'root');
    await bob.send(roomId, 'reply', related('m.thread', root));
    const dave = await app.register(`dave${Date.now()}`);
    for (const room of [roomId, '!unknown:example.org']) {
      const answer = await dave.call('GET', `/_matrix/client/v1${roomPath(room)}/threads`);
      expect(answer).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
    }
    await ignore(carol, { [alice.userId]: {} });
    expect((await threadsOf(carol, roomId)).chunk).toMatchObject([{ event_id: root, content: {} }]);
    expect((await threadsOf(carol, roomId)).chunk[0]!.content).toEqual({});
    await ignore(carol, { [bob.userId]: {} });
    expect(ids(await threadsOf(carol, roomId))).toEqual([]);
    await ignore(carol, {});
  });
});
