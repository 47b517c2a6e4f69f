import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { annals } from './support/annals.js';
import { type Answer, type Client, Homeserver, WITHOUT_PRESENCE } from './support/homeserver.js';
import { keepTalking } from './support/keep-talking.js';
import { describeEmbedded } from './support/stores.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const V1 = '/_matrix/client/api/v1';
const NEXT = '/_matrix/client/v1';

type Body = Answer['body'];

/** Every kind of token that the server gives, from one moment. */
interface Tokens {
  readonly since: string;
  /** `prev_batch` of a timeline that shows an event, and of one that shows none. */
  readonly previous: readonly string[];
  readonly page: { readonly start: string; readonly end: string };
  readonly forwards: string;
  readonly context: { readonly start: string; readonly end: string };
  readonly v1: {
    readonly end: string;
    readonly messages: { readonly start: string; readonly end: string };
    readonly page: { readonly start: string; readonly end: string };
    readonly stream: string;
    readonly members: { readonly start: string; readonly end: string };
    readonly publicRooms: string;
  };
  readonly stream: string;
  readonly initial: string;
  readonly relations: string;
  readonly threads: string;
  readonly hierarchy: string;
  readonly publicRooms: string;
}

const bodiesOf = (events: readonly Body[]): string[] =>
  events.map(({ content }) => content.body).filter((body) => typeof body === 'string');

/** Nothing is told twice in one answer. */
function checkOnce<T>(told: readonly T[]): readonly T[] {
  expect(told).toHaveLength(new Set(told).size);
  return told;
}

describeEmbedded('tokens of a restored server', 'a server has a way of its own to restore', () => {
  const directory = mkdtempSync(join(tmpdir(), 'annals-tokens-'));
  const backup = join(directory, 'backup');
  let server: Homeserver;
  let alice: Client;
  let bob: Client;
  let room: string;
  let path: string;
  let space: string;
  /** Rooms that Bob is in but for what is lost, and that he is in in what is lost alone. */
  let left: string;
  let away: string;
  /** Account data of Bob's. */
  let mine: string;
  /** Events with which relations and threads begin. */
  let root: string;
  const threads: string[] = [];
  const rooms: string[] = [];
  const filters: Record<string, string> = {};
  let kept: Tokens;
  /** What had been said before the backup was begun. */
  let saidBefore: string[] = [];
  let fresh: string[] = [];

  const ok = (url: string): Promise<Body> => bob.ok('GET', url);
  const from = (token: string, name = 'from'): string => `${name}=${encodeURIComponent(token)}`;
  const relate = (rel_type: string, to: string, body: string): Promise<Body> =>
    alice.ok('PUT', `${path}/send/m.room.message/${body.replaceAll(' ', '-')}`, {
      msgtype: 'm.text',
      body,
      'm.relates_to': { rel_type, event_id: to },
    });
  const openThread = async (name: string): Promise<void> => {
    const id = await alice.send(room, `${name} thread`);
    threads.push(id);
    await relate('m.thread', id, `${name} reply`);
  };
  const addChild = async (name: string, order: string): Promise<string> => {
    const id = await alice.createRoom({ preset: 'public_chat', visibility: 'public', name });
    await alice.ok('PUT', `/rooms/${encodeURIComponent(space)}/state/m.space.child/${encodeURIComponent(id)}`, {
      via: [server.serverName],
      order,
    });
    rooms.push(id);
    return id;
  };

  async function take(): Promise<Tokens> {
    const timelineOf = (limit: number): string => JSON.stringify({ room: { timeline: { limit } } });
    const sync = await bob.sync({ filter: timelineOf(3) });
    const empty = await bob.sync({ filter: timelineOf(0) });
    const page = await ok(`${path}/messages?dir=b&limit=3`);
    const { rooms: overviews, end } = await ok(`${V1}/initialSync?limit=3`);
    const { messages } = overviews.find((one: Body) => one.room_id === room);
    const around = page.chunk.find(({ type }: Body) => type === 'm.room.message').event_id;
    return {
      since: sync.next_batch,
      previous: [sync, empty].map((answer) => answer.rooms.join[room].timeline.prev_batch),
      page,
      forwards: (await ok(`${path}/messages?dir=f&limit=1000`)).end,
      context: await ok(`${path}/context/${encodeURIComponent(around)}?limit=4`),
      v1: {
        end,
        messages,
        page: await ok(`${V1}${path}/messages?from=END&to=START&limit=3`),
        stream: (await ok(`${V1}/events?from=END&to=START&limit=3`)).start,
        members: await ok(`${V1}${path}/members`),
        publicRooms: (await ok(`${V1}/publicRooms?limit=2`)).end,
      },
      stream: (await ok('/events?timeout=0')).end,
      initial: (await ok('/initialSync?limit=3')).end,
      relations: (await ok(`${NEXT}${path}/relations/${encodeURIComponent(root)}?limit=2`)).next_batch,
      threads: (await ok(`${NEXT}${path}/threads?limit=2`)).next_batch,
      hierarchy: (await ok(`${NEXT}/rooms/${encodeURIComponent(space)}/hierarchy?limit=2`)).next_batch,
      publicRooms: (await ok('/publicRooms?limit=2')).next_batch,
    };
  }

  /** Everything that one is told from a page on, by its further pages. */
  async function follow(url: string, begin: string, next: string, name = 'from', list = 'chunk'): Promise<Body[]> {
    const told: Body[] = [];
    for (let token: string | undefined = begin; token !== undefined;) {
      const answer = await ok(`${url}&${from(token, name)}`);
      checkOnce(answer[list].map((one: Body) => one.event_id ?? one.room_id));
      told.push(...answer[list]);
      if (answer[list].length === 0) break;
      token = answer[next];
    }
    return told;
  }

  async function backUpUnderLoad(): Promise<void> {
    const talk = keepTalking(room, { a: alice, b: bob, c: alice });
    await talk.hasSaid(30);
    kept = await take();
    saidBefore = [...talk.said];
    const { code, output } = await annals(server, 'backup', backup);
    await talk.end();
    expect([code, output]).toEqual([0, expect.stringContaining('the log of e2e.example')]);
  }

  /** What will be lost, of every kind that tokens lead through. */
  async function lose(era: string): Promise<Tokens> {
    for (let i = 0; i < 10; i++) await alice.send(room, `lost ${era} ${i}`);
    for (let i = 0; i < 4; i++) await relate('m.reference', root, `lost ${era} reference ${i}`);
    for (let i = 0; i < 4; i++) await openThread(`lost ${era} ${i}`);
    for (let i = 0; i < 3; i++) await addChild(`lost ${era} ${i}`, `0${i}`);
    await alice.ok('PUT', `${path}/state/m.room.topic`, { topic: `lost ${era}` });
    await bob.ok('PUT', mine, { said: `lost ${era}` });
    await bob.ok('POST', `/rooms/${encodeURIComponent(left)}/leave`, {});
    await bob.ok('POST', `/join/${encodeURIComponent(away)}`, {});
    return take();
  }

  async function restore(): Promise<void> {
    await server.end('SIGKILL');
    const { code, output } = await annals(server, 'restore', backup, '--replace');
    expect([code, output]).toEqual([0, expect.stringContaining('the log of e2e.example')]);
    await server.start();
  }

  /** The server goes on, for longer than what it has lost. */
  async function goOn(era: string): Promise<void> {
    const bodies = Array.from({ length: 40 }, (_, i) => `${era} ${i}`);
    for (const body of bodies) await alice.send(room, body);
    fresh = [...bodies, ...Array.from({ length: 4 }, (_, i) => `${era} reference ${i}`)];
    for (const body of fresh.slice(bodies.length)) await relate('m.reference', root, body);
    await openThread(era);
    fresh.push(`${era} thread`, `${era} reply`);
    await addChild(era, `3${era}`);
  }

  beforeAll(async () => {
    server = await Homeserver.start({ env: WITHOUT_PRESENCE });
    alice = await server.register('alice');
    bob = await server.register('bob');
    room = await alice.createRoom({ preset: 'public_chat', visibility: 'public', name: 'room' });
    path = `/rooms/${encodeURIComponent(room)}`;
    space = await alice.createRoom({
      preset: 'public_chat',
      visibility: 'public',
      name: 'space',
      creation_content: { type: 'm.space' },
    });
    for (const id of [room, space]) await bob.ok('POST', `/join/${encodeURIComponent(id)}`, {});
    [left, away] = [
      await alice.createRoom({ preset: 'public_chat' }),
      await alice.createRoom({ preset: 'public_chat' }),
    ];
    for (const id of [left, away]) await bob.ok('POST', `/join/${encodeURIComponent(id)}`, {});
    await bob.ok('POST', `/rooms/${encodeURIComponent(away)}/leave`, {});
    await alice.ok('PUT', `${path}/state/m.room.topic`, { topic: 'kept' });
    mine = `/user/${encodeURIComponent(bob.userId)}/account_data/org.example.mine`;
    await bob.ok('PUT', mine, { said: 'kept' });
    root = await alice.send(room, 'root');
    for (let i = 0; i < 4; i++) await relate('m.reference', root, `reference ${i}`);
    for (let i = 0; i < 4; i++) await openThread(`${i}`);
    for (let i = 0; i < 4; i++) await addChild(`${i}`, `2${i}`);
    const url = `/user/${encodeURIComponent(bob.userId)}/filter`;
    filters['kept'] = (await bob.ok('POST', url, { room: { timeline: { limit: 500 } } })).filter_id;
    await backUpUnderLoad();
    filters['lost'] = (await bob.ok('POST', url, { room: { timeline: { limit: 499 } } })).filter_id;
  }, 240_000);
  afterAll(async () => {
    await server.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  const lost: [era: string, tokens: Tokens][] = [];
  /** Of each moment: of before the backup, of what was lost first, and of what was lost then. */
  const each = async (use: (tokens: Tokens, era: string) => Promise<void>): Promise<void> => {
    for (const [era, tokens] of [['kept', kept] as const, ...lost]) await use(tokens, era);
  };
  const freshIn = (events: readonly Body[]): string[] => bodiesOf(events).filter((body) => fresh.includes(body));
  const checkNew = (events: readonly Body[], what: string): void => {
    expect(checkOnce(freshIn(events)).toSorted(), what).toEqual(fresh.toSorted());
    expect(
      bodiesOf(events).filter((body) => body.startsWith('lost')),
      what,
    ).toEqual([]);
  };
  const checkOld = (events: readonly Body[], what: string): void => {
    const bodies = new Set(bodiesOf(events));
    expect(
      [...saidBefore, 'root'].filter((body) => !bodies.has(body)),
      what,
    ).toEqual([]);
    expect(
      [...bodies].filter((body) => body.startsWith('lost')),
      what,
    ).toEqual([]);
  };

  // The same backup twice: the second time, what came after the first is lost in its turn.
  describe.each(['once', 'twice'])('%s', (era) => {
    beforeAll(async () => {
      lost.push([era, await lose(era)]);
      await restore();
      await goOn(era);
    }, 240_000);

    test('go on with everything new in /sync', () =>
      each(async ({ since }, of) => {
        const answer = await bob.sync({ since, filter: filters['kept']! });
        const { timeline } = answer.rooms.join[room];
        checkOnce(timeline.events.map((event: Body) => event.event_id));
        // What lies before a limited timeline is what its `prev_batch` leads to.
        const gap = timeline.limited
          ? await follow(`${path}/messages?dir=b&limit=500`, timeline.prev_batch, 'end')
          : [];
        checkNew([...gap, ...timeline.events], of);
        const { rooms: more } = await bob.sync({ since: answer.next_batch });
        expect(more).toBeUndefined();
      }));

    test('are told at once what holds instead of what is lost, and what they cannot join together', async () => {
      for (const [of, { since }] of lost) {
        const { rooms: told, account_data: data } = await bob.sync({ since, timeout: '30000' });
        const { timeline, state } = told.join[room];
        expect(timeline.limited, of).toBe(true);
        const topics = [...state.events, ...timeline.events].filter(({ type }: Body) => type === 'm.room.topic');
        expect(topics.at(-1)?.content, of).toEqual({ topic: 'kept' });
        expect(Object.keys(told.join), of).toContain(left);
        expect(Object.keys(told.leave), of).toEqual([away]);
        const own = data.events.find(({ type }: Body) => type === 'org.example.mine');
        expect(own?.content, of).toEqual({ said: 'kept' });
      }
    });

    test('go on with everything new in a room, and with all that is old', () =>
      each(async (tokens, of) => {
        const { context, page, previous, since, forwards } = tokens;
        const all = { since, forwards, 'first prev_batch': previous[0]!, 'second prev_batch': previous[1]! };
        const ends = { start: page.start, end: page.end, before: context.start, after: context.end };
        for (const [kind, token] of Object.entries({ ...all, ...ends })) {
          const what = `${kind} of ${of}`;
          const later = await follow(`${path}/messages?dir=f&limit=500`, token, 'end');
          checkNew(later, what);
          checkOnce(later.map((event) => event.event_id));
          const url = `${path}/messages?dir=b&limit=500`;
          const untilThen = await ok(`${url}&${from(token, 'to')}`);
          checkNew(untilThen.chunk, `to ${what}`);
          const earlier = await follow(url, token, 'end');
          checkOnce(earlier.map((event) => event.event_id));
          // What had been said before the token of the time before the backup: all but its last few.
          if (of !== 'kept') checkOld(earlier, what);
          const upToThen = await follow(`${path}/messages?dir=f&limit=500&${from(token, 'to')}`, page.start, 'end');
          checkOnce(upToThen.map((event) => event.event_id));
          const { chunk } = await ok(`${path}/members?${from(token, 'at')}`);
          expect(chunk.map((event: Body) => event.state_key).toSorted(), what).toEqual([alice.userId, bob.userId]);
        }
      }));

    test('go on with everything new in the event stream, of today and of 2014', () =>
      each(async ({ v1, stream, initial, since, page }, of) => {
        for (const [kind, token] of Object.entries({
          stream,
          initial,
          since,
          end: v1.end,
          messages: v1.messages.end,
        })) {
          for (const door of ['', V1]) {
            const what = `${kind} of ${of} at ${door}`;
            const answer = await ok(`${door}/events?timeout=0&${from(token)}`);
            checkNew(answer.chunk, what);
            checkOnce(answer.chunk.map((event: Body) => event.event_id));
            const more = await ok(`${door}/events?timeout=0&${from(answer.end)}`);
            expect(more.chunk, what).toEqual([]);
          }
        }
        const kinds = { 'v1 start': v1.page.start, 'v1 end': v1.page.end, start: v1.messages.start, page: page.end };
        for (const [kind, token] of Object.entries({ ...kinds, stream: v1.stream, end: v1.end })) {
          const what = `${kind} of ${of}`;
          const later = await ok(`${V1}${path}/messages?${from(token)}&to=END`);
          checkNew(later.chunk, what);
          const earlier = await ok(`${V1}${path}/messages?${from(token)}&to=START`);
          if (of !== 'kept') checkOld(earlier.chunk, what);
          checkNew((await ok(`${V1}${path}/messages?from=END&${from(token, 'to')}`)).chunk, what);
          checkNew((await ok(`${V1}/events?${from(token)}&to=END`)).chunk, what);
          const told = [later, earlier].map(({ chunk }) => chunk.map((event: Body) => event.event_id));
          for (const ids of told) checkOnce(ids);
        }
        const { chunk } = await ok(`${V1}${path}/members?${from(v1.members.start)}&to=END`);
        expect(chunk.length).toBeLessThanOrEqual(2);
      }));

    test('leave nothing out of lists by pages', () =>
      each(async ({ relations, threads: ofThreads, hierarchy, publicRooms, v1 }, of) => {
        const related = await follow(
          `${NEXT}${path}/relations/${encodeURIComponent(root)}?limit=2`,
          relations,
          'next_batch',
        );
        const references = bodiesOf(related);
        expect(checkOnce(references).filter((body) => body.startsWith('lost'))).toEqual([]);
        expect(references, of).toEqual(expect.arrayContaining(['reference 0', 'reference 1']));
        if (of !== 'kept') expect(references, of).toEqual(expect.arrayContaining([`${era} reference 0`]));

        const roots = await follow(`${NEXT}${path}/threads?limit=2`, ofThreads, 'next_batch');
        checkOnce(roots.map((event) => event.event_id));
        expect(bodiesOf(roots), of).toEqual(expect.arrayContaining(['0 thread', '1 thread']));
        if (of !== 'kept')
          expect(bodiesOf(roots), of).toEqual([`${era} thread`, ...[3, 2, 1, 0].map((i) => `${i} thread`)]);

        const inSpace = `${NEXT}/rooms/${encodeURIComponent(space)}/hierarchy?limit=2`;
        const children = (await follow(inSpace, hierarchy, 'next_batch', 'from', 'rooms')).map(({ name }) => name);
        expect(checkOnce(children), of).toEqual(expect.arrayContaining([era, '1', '2', '3']));
        expect(children.filter((name: string) => name.startsWith('lost'))).toEqual([]);
        // The room that the lost token names is gone: the tree is told anew.
        if (of !== 'kept') expect(children, of).toEqual(['space', '0', '1', '2', '3', era]);

        const listed = await follow('/publicRooms?limit=2', publicRooms, 'next_batch', 'since');
        expect(checkOnce(listed.map(({ name }) => name)), of).toEqual(
          expect.arrayContaining([era, '0', '1', '2', '3']),
        );
        const oldListed = await ok(`${V1}/publicRooms?${from(v1.publicRooms)}&to=END`);
        expect(checkOnce(oldListed.chunk.map(({ name }: Body) => name)), of).toEqual(
          expect.arrayContaining([era, '0', '3']),
        );
      }));

    test('that name what is lost as a whole are refused by the standard error', async () => {
      const filter = await bob.request('GET', `/sync?filter=${filters['lost']}&${from(kept.since, 'since')}`);
      expect([filter.status, filter.body.errcode]).toEqual([400, 'M_INVALID_PARAM']);
      for (const id of [rooms.at(-2)!, rooms.at(-3)!]) {
        const gone = await bob.request('GET', `/rooms/${encodeURIComponent(id)}/messages?dir=b`);
        expect([gone.status, gone.body.errcode]).toEqual([403, 'M_FORBIDDEN']);
        const summary = await bob.request('GET', `${NEXT}/room_summary/${encodeURIComponent(id)}`);
        expect([summary.status, summary.body.errcode]).toEqual([404, 'M_NOT_FOUND']);
      }
      expect((await server.request('GET', '/health')).status).toBe(200);
    });
  });
});
