import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { SlidingClient } from '#testing/sliding-client';
import { queryOf, roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** MSC3531: what a moderator hides is shown to its sender and to those who may hide, by whatever way, and to nobody else until it is shown again. */

const UNSTABLE = 'org.matrix.msc3531.visibility';
const WORDS = 'PLATYPUS';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let carol: SyncUser;
let dave: SyncUser;
let transactions = 0;

const send = async (who: SyncUser, roomId: string, type: string, content: object): Promise<string> =>
  (await who.ok('PUT', `${roomPath(roomId)}/send/${type}/v${transactions++}`, content)).event_id;

/** The form that clients in use send. */
const change = (who: SyncUser, roomId: string, event_id: string, visible: boolean, reason?: string): Promise<string> =>
  send(who, roomId, UNSTABLE, { 'm.relates_to': { rel_type: 'm.reference', event_id }, visible, reason });

const read = (who: SyncUser, roomId: string, eventId: string): ReturnType<SyncUser['ok']> =>
  who.ok('GET', `${roomPath(roomId)}/event/${encodeURIComponent(eventId)}`);

const bodyFor = async (who: SyncUser, roomId: string, eventId: string): Promise<string | undefined> =>
  (await read(who, roomId, eventId)).content.body;

/** A room of Alice, who may hide, with Bob, Carol and, as a moderator, Dave. */
async function room(options: object = {}): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat', ...options });
  for (const one of [bob, carol, dave]) await one.join(roomId);
  const levels = await alice.ok('GET', `${roomPath(roomId)}/state/m.room.power_levels`);
  await alice.setState(roomId, 'm.room.power_levels', { ...levels, users: { ...levels.users, [dave.userId]: 50 } });
  return roomId;
}

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
  [carol, dave] = [await app.register('carol'), await app.register('dave')];
});
afterAll(() => app.close());

describe('a hidden message', () => {
  let roomId: string;
  let since: string;
  let pos: SlidingClient;
  let root: string;
  let hidden: string;

  const LISTS = { lists: { all: { ranges: [[0, 99]], timeline_limit: 20, required_state: [] } } };

  beforeAll(async () => {
    roomId = await room();
    since = (await carol.sync()).next_batch;
    pos = new SlidingClient(carol, 'kept');
    await pos.next(LISTS);
    root = await carol.send(roomId, 'a root');
    hidden = await bob.send(roomId, `${WORDS} @room ${carol.userId}`, {
      'm.mentions': { user_ids: [carol.userId] },
      'm.relates_to': { rel_type: 'm.thread', event_id: root },
    });
    const edit = { 'm.relates_to': { rel_type: 'm.replace', event_id: hidden } };
    await bob.send(roomId, `* ${WORDS}`, { ...edit, 'm.new_content': { msgtype: 'm.text', body: WORDS } });
    await change(dave, roomId, hidden, false, 'to be looked at');
    await bob.send(roomId, `* ${WORDS}`, { ...edit, 'm.new_content': { msgtype: 'm.text', body: WORDS } });
  });

  const relations = '/_matrix/client/v1';
  const WAYS: Readonly<Record<string, (who: SyncUser) => Promise<unknown>>> = {
    '/sync': (who) => who.sync(),
    '/sync since then': (who) => who.sync({ since }),
    'sliding sync': (who) => new SlidingClient(who, 'new').next(LISTS),
    'sliding sync since then': (who) => (who === carol ? pos.next(LISTS) : new SlidingClient(who, 'new').next(LISTS)),
    '/messages': (who) => who.ok('GET', `${roomPath(roomId)}/messages?dir=b&limit=50`),
    '/messages forwards': (who) => who.ok('GET', `${roomPath(roomId)}/messages?dir=f&limit=50`),
    '/event': (who) => read(who, roomId, hidden),
    '/context': (who) => who.ok('GET', `${roomPath(roomId)}/context/${root}`),
    '/context of it': (who) => who.ok('GET', `${roomPath(roomId)}/context/${hidden}`),
    '/relations': (who) => who.ok('GET', `${relations}${roomPath(roomId)}/relations/${root}`),
    '/relations and theirs': (who) => who.ok('GET', `${relations}${roomPath(roomId)}/relations/${root}?recurse=true`),
    '/threads': (who) => who.ok('GET', `${relations}${roomPath(roomId)}/threads`),
    'the bundle of its root': (who) => read(who, roomId, root),
    '/search': (who) =>
      who.ok('POST', '/search', {
        search_categories: {
          room_events: { search_term: WORDS, event_context: { before_limit: 5, after_limit: 5 }, include_state: true },
        },
      }),
    '/initialSync': (who) => who.ok('GET', '/initialSync'),
    '/initialSync of the room': (who) => who.ok('GET', `${roomPath(roomId)}/initialSync`),
    '/events': (who) => who.ok('GET', `/events?${queryOf({ from: since })}`),
    'messages of API v1': async (who) => (await who.v1('GET', `${roomPath(roomId)}/messages?from=END&to=START`)).body,
    'initialSync of API v1': async (who) => (await who.v1('GET', '/initialSync')).body,
    'events of API v1': async (who) => (await who.v1('GET', '/events?from=START&to=END')).body,
    'an event of API v1': async (who) => (await who.v1('GET', `/events/${encodeURIComponent(hidden)}`)).body,
    'federation format': (who) =>
      who.sync({ filter: { event_format: 'federation', room: { timeline: { limit: 50 } } } }),
  };
  /** The sender is not notified of what they say. */
  const NOTIFIED = { '/notifications': (who: SyncUser) => who.ok('GET', '/notifications') };

  it.each(Object.entries({ ...WAYS, ...NOTIFIED }))('is told without its words in %s', async (_, ask) => {
    expect(JSON.stringify(await ask(carol))).not.toContain(WORDS);
  });

  it.each(Object.entries(WAYS))('is told whole to its sender and to who may hide in %s', async (_, ask) => {
    expect(JSON.stringify(await ask(bob))).toContain(WORDS);
    expect(JSON.stringify(await ask(alice))).toContain(WORDS);
  });

  it('says to everybody that it is hidden, and why, and stays in its thread', async () => {
    const marker = { [UNSTABLE]: { visible: false, reason: 'to be looked at', event_id: expect.any(String) } };
    for (const who of [alice, bob, carol]) expect((await read(who, roomId, hidden)).unsigned).toMatchObject(marker);
    const { content } = await read(carol, roomId, hidden);
    expect(content).toEqual({ 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    const old = (await carol.v1('GET', `/events/${encodeURIComponent(hidden)}`)).body;
    expect(old).toMatchObject({ ...marker, user_id: bob.userId, content });
    const thread = async (who: SyncUser): Promise<object> =>
      (await read(who, roomId, root)).unsigned['m.relations']['m.thread'];
    expect(await thread(carol)).toMatchObject({ count: 1, latest_event: { event_id: hidden, content } });
    expect(await thread(alice)).toMatchObject({ count: 1, latest_event: { content: { body: expect.any(String) } } });
  });

  it('is not told by a filter that looks into contents, nor counted as unread, for who is not shown it', async () => {
    const counts = async (who: SyncUser): Promise<object> => (await who.sync()).rooms.join[roomId].unread_notifications;
    const before = await counts(carol);
    await change(alice, roomId, hidden, true);
    const shown = await counts(carol);
    expect([before, shown]).toEqual([
      expect.objectContaining({ highlight_count: 0 }),
      expect.objectContaining({ highlight_count: 1 }),
    ]);
    const hiding = await change(dave, roomId, hidden, false, 'to be looked at');
    expect(await counts(carol)).toEqual(before);
    await alice.ok('PUT', `${roomPath(roomId)}/redact/${hiding}/r${transactions++}`, {});
    expect(await counts(carol)).toEqual(shown);
    await change(dave, roomId, hidden, false, 'to be looked at');
    expect(await counts(carol)).toEqual(before);
  });

  it('is the same after all views were made anew', async () => {
    await expectSameRowsRebuilt(app, ['timeline']);
    expect(await bodyFor(carol, roomId, hidden)).toBeUndefined();
    expect(await bodyFor(bob, roomId, hidden)).toContain(WORDS);
  });
});

describe('hiding', () => {
  it('is undone by showing, which all hear of, and by a redaction of what hides', async () => {
    const roomId = await room();
    const said = await bob.send(roomId, 'hi');
    const first = await change(dave, roomId, said, false);
    expect(await bodyFor(carol, roomId, said)).toBeUndefined();
    const { next_batch: since } = await carol.sync();
    const shown = await change(dave, roomId, said, true);
    const { events } = (await carol.sync({ since })).rooms.join[roomId].timeline;
    expect(events.map(({ event_id: id }: { event_id: string }) => id)).toEqual([shown]);
    expect(await bodyFor(carol, roomId, said)).toBe('hi');
    expect((await read(carol, roomId, said)).unsigned).not.toHaveProperty([UNSTABLE]);
    await alice.ok('PUT', `${roomPath(roomId)}/redact/${shown}/r1`, {});
    expect(await bodyFor(carol, roomId, said)).toBeUndefined();
    await alice.ok('PUT', `${roomPath(roomId)}/redact/${first}/r2`, {});
    expect(await bodyFor(carol, roomId, said)).toBe('hi');
  });

  it('is for those with the level to set state m.visibility, under either name, and nothing where others say it', async () => {
    const roomId = await room();
    const said = await bob.send(roomId, 'hi');
    for (const who of [bob, carol]) await change(who, roomId, said, false);
    expect(await bodyFor(carol, roomId, said)).toBe('hi');
    const levels = await alice.ok('GET', `${roomPath(roomId)}/state/m.room.power_levels`);
    const events = { ...levels.events, 'm.visibility': 75, [UNSTABLE]: 75 };
    await alice.setState(roomId, 'm.room.power_levels', { ...levels, events });
    const tooLow = await dave.call('PUT', `${roomPath(roomId)}/send/${UNSTABLE}/low`, {});
    expect(tooLow.status).toBe(403);
    const relation = { rel_type: 'm.visibility', event_id: said, visibility: 'hidden' };
    await send(dave, roomId, 'm.room.message', { msgtype: 'm.text', body: 'x', 'm.relates_to': relation });
    expect(await bodyFor(carol, roomId, said)).toBe('hi');
    await send(alice, roomId, 'm.room.message', { msgtype: 'm.text', body: 'x', 'm.relates_to': relation });
    expect(await bodyFor(carol, roomId, said)).toBeUndefined();
    expect(await bodyFor(dave, roomId, said)).toBeUndefined();
    await alice.setState(roomId, 'm.room.power_levels', {
      ...levels,
      events,
      users: { ...levels.users, [dave.userId]: 75 },
    });
    expect(await bodyFor(dave, roomId, said)).toBe('hi');
  });

  it('takes every form of the proposal, also in encrypted events, and no other', async () => {
    const roomId = await room();
    const said = await send(bob, roomId, 'm.room.encrypted', { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'x' });
    const isHidden = async (): Promise<boolean> => (await read(carol, roomId, said)).content.ciphertext === undefined;
    const reference = { rel_type: 'm.reference', event_id: said };
    const plain = (visible: unknown): object => ({ 'm.relates_to': { ...reference, visible } });
    const relation = (name: string, visibility: unknown): object => ({
      'm.relates_to': { rel_type: name, event_id: said, [name === UNSTABLE ? name : 'visibility']: visibility },
    });
    const forms: [type: string, hides: object, shows: object][] = [
      ['m.visibility', plain(false), plain(true)],
      [UNSTABLE, { 'm.relates_to': reference, visible: false }, { 'm.relates_to': reference, visible: true }],
      ['m.room.encrypted', relation('m.visibility', 'hidden'), relation('m.visibility', 'visible')],
      ['m.room.message', relation(UNSTABLE, 'hidden'), relation(UNSTABLE, 'visible')],
    ];
    for (const [type, hides, shows] of forms) {
      await send(dave, roomId, type, hides);
      expect([type, await isHidden()]).toEqual([type, true]);
      await send(dave, roomId, type, shows);
      expect([type, await isHidden()]).toEqual([type, false]);
    }
    const others: [type: string, content: object][] = [
      ['m.visibility', plain('false')],
      ['m.visibility', plain(undefined)],
      ['m.visibility', { 'm.relates_to': { rel_type: 'm.visibility', event_id: said } }],
      ['m.room.message', { ...plain(false) }],
      ['m.room.message', relation('m.visibility', false)],
      ['m.room.message', { 'm.relates_to': { rel_type: 'm.visibility', event_id: 'x', visibility: 'hidden' } }],
    ];
    for (const [type, content] of others) await send(dave, roomId, type, content);
    expect(await isHidden()).toBe(false);
  });

  it('leaves state events as they are, and what hides others', async () => {
    const roomId = await room();
    const topic = await alice.setState(roomId, 'm.room.topic', { topic: 'a topic' });
    const said = await bob.send(roomId, 'hi');
    const hiding = await change(dave, roomId, said, false, 'why');
    await change(dave, roomId, topic, false);
    await change(dave, roomId, hiding, false);
    expect((await read(carol, roomId, topic)).content).toEqual({ topic: 'a topic' });
    expect((await read(carol, roomId, hiding)).content).toMatchObject({ reason: 'why' });
  });

  it('goes by what was said last, and hides edits of the sender alone', async () => {
    const roomId = await room();
    const said = await bob.send(roomId, 'hi');
    const edit = (who: SyncUser): Promise<string> =>
      who.send(roomId, '* ho', {
        'm.relates_to': { rel_type: 'm.replace', event_id: said },
        'm.new_content': { msgtype: 'm.text', body: 'ho' },
      });
    const [own, foreign] = [await edit(bob), await edit(dave)];
    await change(alice, roomId, own, false);
    expect(await bodyFor(carol, roomId, own)).toBeUndefined();
    expect(await read(carol, roomId, said)).toMatchObject({ content: { body: 'hi' } });
    expect((await read(carol, roomId, said)).unsigned['m.relations']?.['m.replace']).toBeUndefined();
    expect((await read(dave, roomId, said)).unsigned['m.relations']['m.replace'].event_id).toBe(own);
    await change(dave, roomId, own, true);
    expect(await bodyFor(carol, roomId, own)).toBe('* ho');
    await change(dave, roomId, said, false);
    expect([await bodyFor(carol, roomId, own), await bodyFor(carol, roomId, foreign)]).toEqual([undefined, '* ho']);
    await change(dave, roomId, said, true);
    expect(await bodyFor(carol, roomId, own)).toBe('* ho');
  });

  it('is counted as unread for who is shown it, as long as they are', async () => {
    const roomId = await room();
    const levels = await alice.ok('GET', `${roomPath(roomId)}/state/m.room.power_levels`);
    const setLevel = (level: number): Promise<string> =>
      alice.setState(roomId, 'm.room.power_levels', { ...levels, users: { ...levels.users, [dave.userId]: level } });
    await dave.send(roomId, 'hello');
    const said = await bob.send(roomId, 'hi', { 'm.mentions': { user_ids: [dave.userId] } });
    await change(alice, roomId, said, false);
    const highlights = async (): Promise<number> =>
      (await dave.sync()).rooms.join[roomId].unread_notifications.highlight_count;
    expect(await highlights()).toBe(1);
    await setLevel(0);
    expect(await highlights()).toBe(0);
    await setLevel(50);
    expect(await highlights()).toBe(1);
  });

  it('hides the edits of edits too, and shows them with what they edit', async () => {
    const roomId = await room();
    const edit = (event_id: string): Promise<string> =>
      send(bob, roomId, 'm.room.message', {
        msgtype: 'm.text',
        body: '* ho',
        'm.new_content': { msgtype: 'm.text', body: 'ho' },
        'm.relates_to': { rel_type: 'm.replace', event_id },
      });
    const said = await bob.send(roomId, 'hi');
    const first = await edit(said);
    const second = await edit(first);
    const third = await edit(second);
    const bodies = (): Promise<(string | undefined)[]> =>
      Promise.all([first, second, third].map((id) => bodyFor(carol, roomId, id)));
    await change(dave, roomId, said, false);
    expect(await bodies()).toEqual([undefined, undefined, undefined]);
    expect(await bodyFor(carol, roomId, await edit(third))).toBeUndefined();
    await change(dave, roomId, third, false);
    await change(dave, roomId, said, true);
    expect(await bodies()).toEqual(['* ho', '* ho', undefined]);
    await change(dave, roomId, said, false);
    await change(dave, roomId, third, true);
    // Nothing tells any more what a redacted edit edited.
    await bob.ok('PUT', `${roomPath(roomId)}/redact/${first}/r${transactions++}`, {});
    expect(await bodies()).toEqual([undefined, '* ho', '* ho']);
    await expectSameRowsRebuilt(app, ['timeline']);
  });

  it('hides also what only says that it hides something', async () => {
    const roomId = await room();
    const said = await bob.send(roomId, 'hi');
    const relation = { rel_type: 'm.visibility', event_id: said, visibility: 'hidden' };
    const pretends = [
      await send(bob, roomId, 'm.room.message', { msgtype: 'm.text', body: 'x', 'm.relates_to': relation }),
      await change(bob, roomId, said, false, WORDS),
    ];
    for (const id of pretends) await change(dave, roomId, id, false);
    for (const id of pretends) expect((await read(carol, roomId, id)).content).toEqual({});
  });

  it('leaves nothing that its sender wrote where the thread is named', async () => {
    const roomId = await room();
    const relation = { rel_type: 'm.thread', event_id: `$${WORDS}` };
    const said = await bob.send(roomId, 'hi', { 'm.relates_to': relation });
    await change(dave, roomId, said, false);
    expect((await read(carol, roomId, said)).content).toEqual({});
  });

  it('is for who is in the room: who has left sees their own alone', async () => {
    const roomId = await room({
      initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }],
    });
    const said = await bob.send(roomId, 'hi');
    await change(dave, roomId, said, false);
    const guest = await app.register('passer-by');
    for (const one of [bob, dave]) await one.leave(roomId);
    const bodies = [
      await bodyFor(guest, roomId, said),
      await bodyFor(dave, roomId, said),
      await bodyFor(bob, roomId, said),
    ];
    expect(bodies).toEqual([undefined, undefined, 'hi']);
  });
});
