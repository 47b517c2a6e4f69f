import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { TEST_AUTHOR } from '#testing/local-room';
import { type RoomsApp, type RoomsAnswer, startRoomsApp, type TestUser } from '#testing/rooms-app';
import { parseSearch } from '../queries/parse-search.js';
import { sealedFor, SealedPlaces } from '../queries/sealed-places.js';

let app: RoomsApp;
let alice: TestUser;
let bob: TestUser;
let txn = 0;

beforeAll(async () => {
  app = await startRoomsApp();
  alice = await app.register('alice');
  bob = await app.register('bob');
});
afterAll(() => app.close());

const send = async (user: TestUser, roomId: string, content: object, type = 'm.room.message'): Promise<string> =>
  (await user.ok('PUT', `/rooms/${roomId}/send/${type}/t${++txn}`, content)).event_id;
const say = (user: TestUser, roomId: string, body: string): Promise<string> =>
  send(user, roomId, { msgtype: 'm.text', body });

const edit = (user: TestUser, roomId: string, target: string, body: string): Promise<string> =>
  send(user, roomId, {
    msgtype: 'm.text',
    body: `* ${body}`,
    'm.new_content': { msgtype: 'm.text', body },
    'm.relates_to': { rel_type: 'm.replace', event_id: target },
  });

type Found = RoomsAnswer['body'];
const searchFor = (term: string, more: object = {}): JsonObject => ({
  search_categories: { room_events: { search_term: term, ...more } },
});
const search = async (user: TestUser, term: string, more: object = {}, nextBatch?: string): Promise<Found> => {
  const at = nextBatch === undefined ? '' : `?next_batch=${encodeURIComponent(nextBatch)}`;
  return (await user.ok('POST', `/search${at}`, searchFor(term, more))).search_categories.room_events;
};
/** A place that no page ended at, sealed as this server does it. */
const tokenOf = (place: unknown, user: TestUser, term: string, more: object = {}): string => {
  const request = parseSearch(searchFor(term, more), user.userId as UserId)!;
  const places = new SealedPlaces(TEST_AUTHOR.signingKey, undefined as never);
  return places.seal(JSON.stringify(place), sealedFor(user.userId as UserId, request));
};
const idsOf = (found: Found): string[] =>
  found.results.map(({ result }: { result: { event_id: string } }) => result.event_id);

describe('POST /search', () => {
  it('finds messages, names and topics by their words, with all of these, in any room of the user', async () => {
    const one = await alice.createRoom({ name: 'Rosarium', topic: 'All about roses' });
    const two = await alice.createRoom({});
    const said = await say(alice, one, 'Die ROSEN blühen früh');
    const other = await say(alice, two, 'rosen im garten, fruh');
    expect(idsOf(await search(alice, 'früh rosen', { order_by: 'recent' }))).toEqual([other, said]);
    const byName = await search(alice, 'rosarium');
    expect(byName.results[0].result).toMatchObject({
      type: 'm.room.name',
      room_id: one,
      content: { name: 'Rosarium' },
    });
    expect(idsOf(await search(alice, 'rosen garten'))).toEqual([other]);
    expect(await search(alice, 'about', { keys: ['content.name'] })).toEqual({
      count: 0,
      highlights: [],
      results: [],
      state: {},
    });
    expect((await search(alice, 'about', { keys: ['content.topic', 'content.body'] })).count).toBe(1);
    expect((await search(bob, 'rosen')).count).toBe(0);
  });

  it('ranks what is closer first, tells which words to highlight, and lists the newest first where asked', async () => {
    const room = await alice.createRoom({});
    const exact = await say(alice, room, 'a comet!');
    const often = await say(alice, room, 'comet after comet');
    const longer = await say(
      alice,
      room,
      'Comets are seen in a clear night by who waits for long, and nobody else, far out',
    );
    const found = await search(alice, 'comet', { filter: { rooms: [room] } });
    expect(idsOf(found)).toEqual([often, exact, longer]);
    const ranks = found.results.map(({ rank }: { rank: number }) => rank);
    expect(ranks).toEqual(ranks.toSorted((a: number, b: number) => b - a));
    expect(found.highlights.toSorted()).toEqual(['comet', 'comets']);
    expect(idsOf(await search(alice, 'comet', { order_by: 'recent' }))).toEqual([longer, often, exact]);
  });

  it('shows edits in the place of what they edit, and nothing that is redacted', async () => {
    const room = await alice.createRoom({});
    const said = await say(alice, room, 'A zeppelin');
    const gone = await say(alice, room, 'Another zeppelin');
    const edited = await edit(alice, room, said, 'A dirigible');
    await alice.ok('PUT', `/rooms/${room}/redact/${gone}/t${++txn}`, {});
    expect((await search(alice, 'zeppelin')).count).toBe(0);
    const found = await search(alice, 'dirigible');
    expect(idsOf(found)).toEqual([said]);
    expect(found.results[0].result.unsigned['m.relations']['m.replace'].event_id).toBe(edited);
    await alice.ok('PUT', `/rooms/${room}/redact/${edited}/t${++txn}`, {});
    expect(idsOf(await search(alice, 'zeppelin'))).toEqual([said]);
  });

  it('finds what the reader may read and nothing else: before they came, after they left, of whom they ignore', async () => {
    const history = { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } };
    const room = await alice.createRoom({ preset: 'public_chat', initial_state: [history] });
    await say(alice, room, 'quokka before');
    await bob.ok('POST', `/join/${room}`, {});
    const seen = await say(alice, room, 'quokka meanwhile');
    await bob.ok('POST', `/rooms/${room}/leave`, {});
    await say(alice, room, 'quokka after');
    expect(await search(bob, 'quokka')).toMatchObject({ count: 1, results: [{ result: { event_id: seen } }] });
    expect((await search(alice, 'quokka')).count).toBe(3);
    const ignored = `/user/${bob.userId}/account_data/m.ignored_user_list`;
    await bob.ok('PUT', ignored, { ignored_users: { [alice.userId]: {} } });
    expect((await search(bob, 'quokka')).count).toBe(0);
    await bob.ok('PUT', ignored, { ignored_users: {} });
    expect((await search(bob, 'quokka')).count).toBe(1);
    await bob.ok('POST', `/rooms/${room}/forget`, {});
    expect((await search(bob, 'quokka', { filter: { rooms: [room] } })).count).toBe(0);
  });

  it('counts what the reader is shown and nothing of what stands between that they are not', async () => {
    const history = { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } };
    const other = await alice.createRoom({ preset: 'public_chat', initial_state: [history] });
    const own = await bob.createRoom({});
    for (let i = 0; i < 20; i++) await say(bob, own, `ibex ${i}`);
    for (let i = 0; i < 20; i++) await say(alice, other, `ibex ${i}`);
    const newest = [await say(bob, own, 'ibex!'), await say(bob, own, 'ibex?')].toReversed();
    await bob.ok('POST', `/join/${other}`, {});
    // As on a page behind some hundreds of results, where no more are looked for than are told.
    const place = { up_to: '9'.repeat(18), counted: 0, count: 1 };
    for (const rooms of [[own], [own, other]]) {
      const wish = { order_by: 'recent', filter: { rooms, limit: 1 } };
      const page = await search(bob, 'ibex', wish, tokenOf(place, bob, 'ibex', wish));
      expect([page.count, idsOf(page)]).toEqual([2, [newest[0]]]);
      const next = await search(bob, 'ibex', wish, page.next_batch);
      expect(idsOf(next)).toEqual([newest[1]]);
    }
  });

  it('searches no room whose pages the reader may not read: neither one that was open once nor what it took the place of', async () => {
    const visibility = (history_visibility: string): object => ({ history_visibility });
    const state = { type: 'm.room.history_visibility', state_key: '', content: visibility('world_readable') };
    const room = await alice.createRoom({ initial_state: [state] });
    const said = await say(alice, room, 'a nilgai');
    const filter = { rooms: [room] };
    expect(idsOf(await search(bob, 'nilgai', { filter }))).toEqual([said]);
    expect(await search(bob, 'nilgai')).toMatchObject({ count: 0 });
    await alice.ok('PUT', `/rooms/${room}/state/m.room.history_visibility`, visibility('shared'));
    expect(await search(bob, 'nilgai', { filter })).toMatchObject({ count: 0, results: [] });

    const old = await alice.createRoom({ preset: 'public_chat' });
    await bob.ok('POST', `/join/${old}`, {});
    const before = await say(alice, old, 'a nilgai');
    const next = await alice.createRoom({ creation_content: { predecessor: { room_id: old, event_id: before } } });
    expect(idsOf(await search(bob, 'nilgai'))).toEqual([before]);
    expect(idsOf(await search(alice, 'nilgai', { filter: { rooms: [next] } }))).toEqual([before]);
    expect(idsOf(await search(bob, 'nilgai', { filter: { rooms: [next] } }))).toEqual([]);
  });

  it('tells nobody in next_batch where a page ended, and takes it back of the same reader for the same search', async () => {
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.ok('POST', `/join/${room}`, {});
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await say(alice, room, `serval ${i}`));
    const wish = { order_by: 'recent', filter: { rooms: [room], limit: 2 } };
    const { next_batch: token } = await search(alice, 'serval', wish);
    expect(Buffer.from(token, 'base64url').toString()).not.toMatch(/up_to|behind|count/);
    const other = { ...wish, filter: { rooms: [room], limit: 1 }, groupings: { group_by: [{ key: 'sender' }] } };
    const further = await search(alice, 'serval', other, token);
    expect(idsOf(further)).toEqual([ids[2]]);
    const ofGroup = further.groups.sender[alice.userId].next_batch;
    for (const each of [further.next_batch, ofGroup]) expect(each).toHaveLength(token.length);
    const refused: [TestUser, string, object][] = [
      [bob, 'serval', wish],
      [alice, 'servals', wish],
      [alice, 'serval', { ...wish, order_by: 'rank' }],
      [alice, 'serval', { ...wish, keys: ['content.body'] }],
      [alice, 'serval', { ...wish, filter: { limit: 2 } }],
    ];
    for (const [user, term, more] of refused) {
      const { status, body } = await user.call('POST', `/search?next_batch=${token}`, searchFor(term, more));
      expect([term, more, status, body.errcode]).toEqual([term, more, 400, 'M_INVALID_PARAM']);
    }
  });

  it('finds what was edited by the version that the reader is shown, and never by what was said after they left', async () => {
    const history = { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } };
    const room = await alice.createRoom({ preset: 'public_chat', initial_state: [history] });
    await bob.ok('POST', `/join/${room}`, {});
    const said = await say(alice, room, 'a marmot');
    await edit(bob, room, said, 'a hoopoe');
    const carol = await app.register('carol');
    await bob.ok('POST', `/rooms/${room}/leave`, {});
    await edit(alice, room, said, 'the marmot of Übersee');
    await edit(alice, room, said, 'a clandestine gopher');
    for (const term of ['clandestine', 'gopher', 'gop', 'übersee', 'hoopoe'])
      expect([term, idsOf(await search(bob, term))]).toEqual([term, []]);
    expect(await search(bob, 'marmot')).toMatchObject({ count: 1, highlights: ['marmot'] });
    expect(idsOf(await search(alice, 'gopher'))).toEqual([said]);
    expect((await search(alice, 'gopher')).highlights).toEqual(['gopher']);
    for (const term of ['marmot', 'übersee', 'hoopoe']) expect(idsOf(await search(alice, term))).toEqual([]);
    await carol.ok('POST', `/join/${room}`, {});
    expect(idsOf(await search(carol, 'gopher'))).toEqual([]);
  });

  it('finds nothing of rooms that are encrypted, also of what was there before', async () => {
    const room = await alice.createRoom({ name: 'Gnu and friends' });
    await say(alice, room, 'a gnu');
    expect((await search(alice, 'gnu')).count).toBe(2);
    await alice.ok('PUT', `/rooms/${room}/state/m.room.encryption`, { algorithm: 'm.megolm.v1.aes-sha2' });
    await say(alice, room, 'another gnu');
    expect((await search(alice, 'gnu')).count).toBe(0);
    expect((await search(alice, 'gnu', { filter: { rooms: [room] } })).count).toBe(0);
  });

  it('searches the rooms before an upgraded one where that is named', async () => {
    const room = await alice.createRoom({});
    const said = await say(alice, room, 'an axolotl');
    const { replacement_room: next } = await alice.ok('POST', `/rooms/${room}/upgrade`, { new_version: '11' });
    const again = await say(alice, next, 'one more axolotl');
    const found = await search(alice, 'axolotl', { filter: { rooms: [next] }, order_by: 'recent' });
    expect(idsOf(found)).toEqual([again, said]);
    const without = await search(alice, 'axolotl', { filter: { rooms: [next], not_rooms: [room] } });
    expect(idsOf(without)).toEqual([again]);
  });

  it('tells what surrounds a result, who sent it by name, and the state of its room', async () => {
    await alice.ok('PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alice' });
    const room = await alice.createRoom({});
    const bodies = ['one', 'two', 'a wombat', 'four', 'five'];
    const ids: string[] = [];
    for (const body of bodies) ids.push(await say(alice, room, body));
    const found = await search(alice, 'wombat', {
      event_context: { before_limit: 1, after_limit: 2, include_profile: true },
      include_state: true,
    });
    const [{ context }] = found.results;
    expect(context.events_before.map((event: { event_id: string }) => event.event_id)).toEqual([ids[1]]);
    expect(context.events_after.map((event: { event_id: string }) => event.event_id)).toEqual([ids[3], ids[4]]);
    expect(context.profile_info).toEqual({ [alice.userId]: { displayname: 'Alice' } });
    expect(found.state[room].map(({ type }: { type: string }) => type)).toContain('m.room.create');
    const older = await alice.ok('GET', `/rooms/${room}/messages?dir=b&from=${context.start}&limit=1`);
    expect(older.chunk[0].event_id).toBe(ids[0]);
    const newer = await alice.ok('GET', `/rooms/${room}/messages?dir=f&from=${context.end}`);
    expect(newer.chunk).toEqual([]);
    const [bare] = (await search(alice, 'wombat')).results;
    expect(Object.keys(bare).toSorted()).toEqual(['rank', 'result']);
  });

  it('tells of the members of a room the senders of what was found there, where these are loaded lazily', async () => {
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.ok('POST', `/join/${room}`, {});
    await say(alice, room, 'a kinkajou');
    const membersTold = async (filter: object): Promise<string[]> => {
      const { state } = await search(alice, 'kinkajou', { include_state: true, filter });
      const events = state[room] as { type: string; state_key: string }[];
      expect(events.some(({ type }) => type === 'm.room.create')).toBe(true);
      return events.filter(({ type }) => type === 'm.room.member').map(({ state_key: userId }) => userId);
    };
    expect(await membersTold({ lazy_load_members: true })).toEqual([alice.userId]);
    expect((await membersTold({})).toSorted()).toEqual([alice.userId, bob.userId].toSorted());
    await alice.ok('POST', `/rooms/${room}/leave`, {});
    expect(await membersTold({ lazy_load_members: true })).toEqual([alice.userId]);
  });

  it('answers in pages that nothing falls out of or comes twice in, whatever is said meanwhile', async () => {
    const room = await alice.createRoom({});
    const ids: string[] = [];
    for (let i = 0; i < 45; i++) ids.push(await say(alice, room, `pangolin ${i}`));
    for (const order of ['recent', 'rank']) {
      const seen: string[] = [];
      let next: string | undefined;
      do {
        const page = await search(alice, 'pangolin', { order_by: order, filter: { limit: 10, rooms: [room] } }, next);
        seen.push(...idsOf(page));
        await say(alice, room, `pangolins meanwhile ${order} ${seen.length}`);
        ({ next_batch: next } = page);
      } while (next !== undefined);
      const said = seen.filter((id) => ids.includes(id));
      expect(new Set(seen).size).toBe(seen.length);
      expect(said.toSorted()).toEqual(ids.toSorted());
      if (order === 'recent') expect(said).toEqual(ids.toReversed());
    }
  });

  it('groups results by room and by sender, each with pages of its own', async () => {
    const rooms = [
      await alice.createRoom({ preset: 'public_chat' }),
      await alice.createRoom({ preset: 'public_chat' }),
    ];
    const [one, two] = rooms as [string, string];
    await bob.ok('POST', `/join/${two}`, {});
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push(await say(alice, one, `narwhal ${i}`));
    ids.push(await say(bob, two, 'narwhal 3'), await say(alice, two, 'narwhal 4'));
    const wish = {
      order_by: 'recent',
      filter: { limit: 3 },
      groupings: { group_by: [{ key: 'room_id' }, { key: 'sender' }] },
    };
    const { groups, count } = await search(alice, 'narwhal', wish);
    expect(count).toBe(5);
    expect(groups.room_id[two]).toEqual({ order: 1, results: [ids[4], ids[3]] });
    expect(groups.room_id[one]).toEqual({ order: 2, results: [ids[2]], next_batch: expect.any(String) });
    expect(groups.sender[bob.userId].results).toEqual([ids[3]]);
    const rest = await search(alice, 'narwhal', wish, groups.room_id[one].next_batch);
    expect(idsOf(rest)).toEqual([ids[1], ids[0]]);
    expect(rest.next_batch).toBeUndefined();
  });

  it('goes by filters of senders, types and rooms', async () => {
    const room = await alice.createRoom({ name: 'Ocelots', preset: 'public_chat' });
    await bob.ok('POST', `/join/${room}`, {});
    const [mine, his] = [await say(alice, room, 'ocelots!'), await say(bob, room, 'ocelots?')];
    const found = async (filter: object): Promise<string[]> => idsOf(await search(alice, 'ocelots', { filter }));
    expect(await found({ senders: [bob.userId] })).toEqual([his]);
    expect(await found({ not_senders: [bob.userId], types: ['m.room.message'] })).toEqual([mine]);
    expect(await found({ not_types: ['m.room.message'] })).toHaveLength(1);
    expect(await found({ not_rooms: [room] })).toEqual([]);
    expect(await found({ contains_url: true })).toEqual([]);
    expect(await found({ limit: 0 })).toEqual([]);
  });

  it('finds what was filed as well as what was not yet, page after page, and of a group all of it once', async () => {
    const room = await alice.createRoom({ preset: 'public_chat' });
    await bob.ok('POST', `/join/${room}`, {});
    const ids: string[] = [];
    for (let i = 0; i < 340; i++) {
      const body = `${i % 100 === 7 ? 'a lemur ' : ''}${'number '.repeat(1 + (i % 3))}${i}`;
      ids.push(await say(i % 5 === 0 ? bob : alice, room, body));
    }
    const newestFirst = [ids[307], ids[207], ids[107], ids[7]];
    expect(idsOf(await search(alice, 'lemur', { order_by: 'recent' }))).toEqual(newestFirst);
    expect(idsOf(await search(alice, 'lem'))).toEqual([]);
    expect(idsOf(await search(alice, 'numb lemu', { order_by: 'recent' }))).toEqual(newestFirst);
    const filter = { rooms: [room], limit: 60 };
    for (const order_by of ['rank', 'recent']) {
      const wish = { order_by, filter, groupings: { group_by: [{ key: 'sender' }] } };
      const first = await search(alice, 'number', wish);
      expect(first.count).toBeGreaterThanOrEqual(300);
      const all: string[] = [];
      for (let page = first; ; page = await search(alice, 'number', wish, page.next_batch)) {
        all.push(...idsOf(page));
        if (page.next_batch === undefined) break;
      }
      expect(all).toHaveLength(340);
      expect(new Set(all)).toEqual(new Set(ids));
      const ofBob: string[] = [...first.groups.sender[bob.userId].results];
      for (let next = first.groups.sender[bob.userId].next_batch; next !== undefined;) {
        const page = await search(alice, 'number', wish, next);
        ofBob.push(...idsOf(page));
        ({ next_batch: next } = page);
      }
      expect(ofBob).toHaveLength(68);
      expect(new Set(ofBob)).toEqual(new Set(ids.filter((_, i) => i % 5 === 0)));
    }
  }, 60_000);

  it('answers with no more than somebody can read at once, whatever is asked for with it, and goes on from there', async () => {
    const room = await alice.createRoom({});
    const ids: string[] = [];
    for (let i = 0; i < 30; i++) ids.push(await say(alice, room, `tapir ${i} ${'x'.repeat(60_000)}`));
    const event_context = { before_limit: 30, after_limit: 30 };
    const wish = { order_by: 'recent', filter: { limit: 30 }, event_context, include_state: true };
    const seen: string[] = [];
    let pages = 0;
    let next: string | undefined;
    do {
      const page = await search(alice, 'tapir', wish, next);
      expect(JSON.stringify(page).length).toBeLessThan(6_000_000);
      expect(page.state[room].length).toBeGreaterThan(3);
      const [{ context, result }] = page.results;
      const at = ids.indexOf(result.event_id);
      const around = context.events_before.map((event: { event_id: string }) => event.event_id);
      const before = around.filter((id: string) => ids.includes(id));
      // The nearest ones, and places from which on the others can be had.
      expect(before).toEqual(ids.slice(Math.max(0, at - before.length), at).toReversed());
      if (before.length < at) {
        const older = await alice.ok('GET', `/rooms/${room}/messages?dir=b&from=${context.start}&limit=1`);
        expect(older.chunk[0].event_id).toBe(ids[at - before.length - 1]);
      }
      seen.push(...idsOf(page));
      pages++;
      ({ next_batch: next } = page);
    } while (next !== undefined);
    expect(pages).toBeGreaterThan(3);
    expect(seen).toEqual(ids.toReversed());
  }, 60_000);

  it('is served in the API of 2015 too, with its events', async () => {
    const room = await alice.createRoom({});
    await say(alice, room, 'a dodo');
    const body = { search_categories: { room_events: { search_term: 'dodo' } } };
    const { body: found } = await app.call('POST', '/_matrix/client/api/v1/search', { token: alice.token, body });
    const [{ result }] = found.search_categories.room_events.results;
    expect(result).toMatchObject({ user_id: alice.userId, room_id: room });
    expect(result.sender).toBeUndefined();
    for (const txnId of ['1', '1', '2']) {
      const { body: again } = await app.call('PUT', `/_matrix/client/api/v1/search/${txnId}`, {
        token: alice.token,
        body,
      });
      expect(again.search_categories.room_events.results[0].result.event_id).toBe(result.event_id);
    }
  });

  it('refuses what is no search, and answers nothing for nothing', async () => {
    const refuse = async (body: unknown, at = ''): Promise<string> => {
      const { status, body: answer } = await alice.call('POST', `/search${at}`, body);
      expect(status).toBe(400);
      return answer.errcode;
    };
    const events = (more: object): object => ({ search_categories: { room_events: { search_term: 'x', ...more } } });
    expect(await refuse({})).toBe('M_MISSING_PARAM');
    expect(await refuse({ search_categories: { room_events: {} } })).toBe('M_MISSING_PARAM');
    for (const wrong of [
      { search_term: 1 },
      { keys: ['content.url'] },
      { keys: 'content.body' },
      { order_by: 'age' },
      { filter: { rooms: 'all' } },
      { filter: [] },
      { event_context: { before_limit: -1 } },
      { groupings: { group_by: [{ key: 'type' }] } },
      { include_state: 'yes' },
    ])
      expect([wrong, await refuse(events(wrong))]).toEqual([wrong, 'M_BAD_JSON']);
    const plain = Buffer.from('{}'.padEnd(100)).toString('base64url');
    for (const token of ['x', 'W10', plain, tokenOf(['1', -1], alice, 'x')])
      expect(await refuse(events({}), `?next_batch=${token}`)).toBe('M_INVALID_PARAM');
    const place = { up_to: '5', behind: [5, false, '5'], counted: 0, count: 0 };
    for (const wrong of [
      { up_to: 5 },
      { up_to: 'b5' },
      { behind: [] },
      { behind: ['5', true, null] },
      { behind: [1, 1, null] },
      { until: null },
      { last: {} },
      { last: { rank: 'x', key: [1, true, null] } },
      { count: -1 },
      { counted: '0' },
      { group: { by: 'type', value: 'x' } },
      { group: { by: 'sender' } },
    ])
      expect([wrong, await refuse(events({}), `?next_batch=${tokenOf({ ...place, ...wrong }, alice, 'x')}`)]).toEqual([
        wrong,
        'M_INVALID_PARAM',
      ]);
    // What is no place of this search is behind or before all of it.
    for (const odd of [{}, { until: [0, true, null] }, { group: { by: 'room_id', value: '!no:where' } }])
      expect((await search(alice, 'quokka', {}, tokenOf({ ...place, ...odd }, alice, 'quokka'))).results).toEqual([]);
    expect(await alice.ok('POST', '/search', { search_categories: {} })).toEqual({ search_categories: {} });
    expect((await search(alice, '?!')).count).toBe(0);
  });
});
