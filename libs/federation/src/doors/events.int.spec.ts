import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import { JsonNumber } from '#kernel/json';
import type { RoomEvent } from '#protocol/room-event';
import { ForkedRoom } from '#testing/forked-room';
import { ALICE, LocalRoom } from '#testing/local-room';
import { ServingApp } from '../../test/serving-app.js';
import { SERVING_DOORS, SERVING_PROVIDERS } from '../serving/serving-providers.js';

const CAROL = '@carol:b.example' as UserId;
const DORA = '@dora:c.example' as UserId;

type Pdu = Record<string, unknown>;
type Content = Record<string, unknown>;

let app: ServingApp;

beforeAll(async () => {
  app = await ServingApp.start(SERVING_DOORS, SERVING_PROVIDERS);
});
afterAll(() => app.close());

/** A room of Alice's with a joined history, in which Carol of another server has been since a certain message. */
async function roomWithCarol(name: string, version = '11') {
  const room = await LocalRoom.begin(app.log, version, name);
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  await room.setState('m.room.history_visibility', { history_visibility: 'joined' });
  const topic = await room.setState('m.room.topic', { topic: 'the first' });
  const before = await room.say('before');
  const others = new ForkedRoom(app.log, room);
  const joined = await others.join(CAROL);
  const after = await room.say('after');
  return { room, others, topic, before, joined, after, at: encodeURIComponent(room.roomId) };
}

const escaped = (event: Pick<RoomEvent, 'eventId'>): string => encodeURIComponent(event.eventId);
const contentsOf = (pdus: readonly Pdu[]): unknown[] => pdus.map(({ content }) => content);

describe('GET /event', () => {
  it('gives an event as it was signed, in a transaction', async () => {
    const { after } = await roomWithCarol('event');
    const { status, body } = await app.ask('b.example', `/event/${escaped(after)}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ origin: 'a.example', pdus: [after.pdu] });
    expect(body.origin_server_ts).toBeGreaterThan(0);
  });

  it('redacts what the server may not see, and gives what is in force and what authorises whole', async () => {
    const { room, topic, before } = await roomWithCarol('hidden');
    const contentOf = async (event: RoomEvent): Promise<Content> =>
      (await app.ask('b.example', `/event/${escaped(event)}`)).body.pdus[0].content;
    expect(await contentOf(before)).toEqual({});
    expect(await contentOf(topic)).toEqual({ topic: 'the first' });
    await room.setState('m.room.topic', { topic: 'the second' });
    expect(await contentOf(topic)).toEqual({});
  });

  it('knows nothing of it for a server that is not in the room, or is kept out of it', async () => {
    const { room, after } = await roomWithCarol('closed');
    const asked = (server: string) => app.ask(server, `/event/${escaped(after)}`);
    expect(await asked('c.example')).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
    await room.setState('m.room.server_acl', { allow: ['*'], deny: ['b.example'] });
    expect(await asked('b.example')).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
  });

  it('gives what is left of a redacted event', async () => {
    const { room, after } = await roomWithCarol('redacted');
    await room.redact(after);
    const { body } = await app.ask('b.example', `/event/${escaped(after)}`);
    expect(body.pdus[0]).toMatchObject({
      content: {},
      hashes: after.pdu['hashes'],
      signatures: after.pdu['signatures'],
    });
  });

  it('gives an event of an auth chain that has no place, and never one that the rules refused', async () => {
    const { others, joined } = await roomWithCarol('outliers');
    const said = { sender: CAROL, type: 'm.room.message', content: { body: 'x' }, prevEvents: [joined.eventId] };
    const member = { sender: CAROL, type: 'm.room.member', stateKey: CAROL, content: { membership: 'join', n: 1 } };
    const outlier = await others.storeOutlier({ ...member, prevEvents: [joined.eventId] });
    const refused = await others.receive(said, 'pdu-rejected', { reason: 'none', check: 'state' });
    const softFailed = await others.receive({ ...said, content: { body: 'y' } }, 'pdu-soft-failed');
    expect((await app.ask('b.example', `/event/${escaped(outlier)}`)).body.pdus[0].content).toMatchObject({ n: 1 });
    expect((await app.ask('b.example', `/event/${escaped(refused)}`)).status).toBe(404);
    expect((await app.ask('b.example', `/event/${escaped(softFailed)}`)).body.pdus[0].content).toEqual({ body: 'y' });
  });
});

describe('GET /state and /state_ids', () => {
  it('give the state before the event and what authorises it, whole', async () => {
    const { at, joined, after } = await roomWithCarol('state');
    const { status, body } = await app.ask('b.example', `/state/${at}?event_id=${escaped(after)}`);
    expect(status).toBe(200);
    const types = (body.pdus as Pdu[]).map(({ type, state_key: key }) => `${String(type)} ${String(key)}`);
    expect(types.toSorted()).toEqual([
      'm.room.create ',
      'm.room.history_visibility ',
      'm.room.join_rules ',
      `m.room.member ${ALICE}`,
      `m.room.member ${CAROL}`,
      'm.room.topic ',
    ]);
    expect(contentsOf(body.pdus)).toContainEqual({ topic: 'the first' });
    expect((body.auth_chain as Pdu[]).map(({ type }) => type).toSorted()).toEqual([
      'm.room.create',
      'm.room.join_rules',
      'm.room.member',
    ]);
    const ids = (await app.ask('b.example', `/state_ids/${at}?event_id=${escaped(after)}`)).body;
    expect(ids.pdu_ids).toContain(joined.eventId);
    expect([ids.pdu_ids.length, ids.auth_chain_ids.length]).toEqual([6, 3]);
    const beforeJoin = (await app.ask('b.example', `/state_ids/${at}?event_id=${escaped(joined)}`)).body;
    expect(beforeJoin.pdu_ids).not.toContain(joined.eventId);
  });

  it('redact of an earlier state what the server may not see, and nothing that authorises', async () => {
    const { room, at, before } = await roomWithCarol('earlier');
    await room.setState('m.room.topic', { topic: 'the second' });
    const { body } = await app.ask('b.example', `/state/${at}?event_id=${escaped(before)}`);
    const contents = contentsOf(body.pdus);
    expect(contents).toContainEqual({ join_rule: 'public' });
    expect(contents).toContainEqual({ membership: 'join' });
    expect(JSON.stringify(contents)).not.toContain('the first');
  });

  it('redact what was in force before something that is in force still', async () => {
    const { room, at, others } = await roomWithCarol('in-force');
    await room.setMembership(CAROL, 'leave', ALICE);
    await room.setState('m.room.topic', { topic: 'of those who stayed' });
    const name = await room.setState('m.room.name', { name: 'kept' });
    await room.setState('m.room.topic', { topic: 'the last' });
    await others.join(CAROL);
    const { body } = await app.ask('b.example', `/state/${at}?event_id=${escaped(name)}`);
    expect(contentsOf(body.pdus)).toContainEqual({ join_rule: 'public' });
    expect(JSON.stringify(body.pdus)).not.toContain('of those who stayed');
    expect((await app.ask('b.example', `/event/${escaped(name)}`)).body.pdus[0].content).toEqual({ name: 'kept' });
  });

  it('are refused to servers that are not in the room, and to those that it keeps out', async () => {
    const { room, at, after } = await roomWithCarol('refused');
    for (const path of ['state', 'state_ids']) {
      const asked = (server: string, event: string) => app.ask(server, `/${path}/${at}?event_id=${event}`);
      expect(await asked('c.example', escaped(after))).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
      expect(await asked('b.example', '$nothing')).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
      expect(await app.ask('b.example', `/${path}/${at}`)).toMatchObject({ status: 400 });
      expect((await app.ask('b.example', `/${path}/!none:a.example?event_id=${escaped(after)}`)).status).toBe(403);
    }
    await room.setState('m.room.server_acl', { allow: ['*'], deny: ['b.example'] });
    const kept = await app.ask('b.example', `/state/${at}?event_id=${escaped(after)}`);
    expect(kept).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  });

  it('know no event of another room', async () => {
    const [one, other] = [await roomWithCarol('one'), await roomWithCarol('other')];
    for (const path of [`state/${one.at}?event_id=`, `event_auth/${one.at}/`]) {
      expect((await app.ask('b.example', `/${path}${escaped(other.after)}`)).status).toBe(404);
    }
  });
});

it('GET /event_auth gives the auth chain of an event without it', async () => {
  const { at, joined } = await roomWithCarol('auth');
  const { body } = await app.ask('b.example', `/event_auth/${at}/${escaped(joined)}`);
  const types = (body.auth_chain as Pdu[]).map(({ type }) => type).toSorted();
  expect(types).toEqual(['m.room.create', 'm.room.join_rules', 'm.room.member']);
});

it('GET /event_auth gives the older first of what is read together', async () => {
  const { room, at } = await roomWithCarol('auth-order');
  await room.setState('m.room.power_levels', { users: { [ALICE]: 100 } });
  const { body } = await app.ask('b.example', `/event_auth/${at}/${escaped(await room.say('later'))}`);
  const types = (body.auth_chain as Pdu[]).map(({ type }) => type);
  expect(types).toEqual(['m.room.create', 'm.room.member', 'm.room.power_levels']);
});

describe('GET /backfill', () => {
  it('goes back from the events, the deepest first, and redacts what the server may not see', async () => {
    const { at, after } = await roomWithCarol('backfill');
    const { body } = await app.ask('b.example', `/backfill/${at}?v=${escaped(after)}&limit=4`);
    expect(body.origin).toBe('a.example');
    expect(contentsOf(body.pdus)).toEqual([
      { body: 'after', msgtype: 'm.text' },
      { membership: 'join' },
      {},
      { topic: 'the first' },
    ]);
  });

  it('gives each event of a fork once, and no more than is asked for', async () => {
    const { others, joined, after, at } = await roomWithCarol('fork');
    const say = (body: string, ...prevEvents: EventId[]) =>
      others.receive({ sender: CAROL, type: 'm.room.message', content: { body }, prevEvents });
    const left = await say('left', joined.eventId);
    const merge = await say('merge', left.eventId, after.eventId);
    const v = `v=${escaped(merge)}&v=${escaped(left)}&v=$unknown`;
    const { body } = await app.ask('b.example', `/backfill/${at}?${v}&limit=100`);
    const bodies = contentsOf(body.pdus).map((content) => (content as Content)['body']);
    expect(bodies.slice(0, 1)).toEqual(['merge']);
    expect(bodies.filter(Boolean).toSorted()).toEqual(['after', 'left', 'merge']);
    expect(body.pdus.at(-1).type).toBe('m.room.create');
    expect(new Set(body.pdus.map((pdu: Pdu) => JSON.stringify(pdu))).size).toBe(body.pdus.length);
  });

  it('is refused to others, and where it is not said from where and how far', async () => {
    const { at, after } = await roomWithCarol('asked');
    expect((await app.ask('c.example', `/backfill/${at}?v=${escaped(after)}&limit=4`)).status).toBe(403);
    for (const query of ['limit=4', `v=${escaped(after)}`, 'v=x&limit=1', `v=${escaped(after)}&limit=-1`]) {
      expect((await app.ask('b.example', `/backfill/${at}?${query}`)).status).toBe(400);
    }
  });
});

describe('POST /get_missing_events', () => {
  it('gives what is between, parents first', async () => {
    const { room, at, joined } = await roomWithCarol('missing');
    const said: RoomEvent[] = [];
    for (const body of ['1', '2', '3', '4']) said.push(await room.say(body));
    const ask = async (more: object): Promise<unknown[]> => {
      const content = { earliest_events: [joined.eventId], latest_events: [said[3]!.eventId], ...more };
      const { body } = await app.ask('b.example', `/get_missing_events/${at}`, content);
      return contentsOf(body.events).map((one) => (one as Content)['body']);
    };
    expect(await ask({})).toEqual(['after', '1', '2', '3']);
    expect(await ask({ limit: 2 })).toEqual(['2', '3']);
    expect(await ask({ min_depth: said[1]!.depth })).toEqual(['2', '3']);
    expect(await ask({ latest_events: ['$unknown'] })).toEqual([]);
  });

  it('takes a list that is left out for an empty one', async () => {
    const { at, before, joined } = await roomWithCarol('missing-lists');
    const content = { latest_events: [joined.eventId], limit: 1 };
    const { body } = await app.ask('b.example', `/get_missing_events/${at}`, content);
    expect(body.events).toMatchObject([{ hashes: before.pdu['hashes'] }]);
    expect(await app.ask('b.example', `/get_missing_events/${at}`, {})).toMatchObject({
      status: 200,
      body: { events: [] },
    });
    expect((await app.ask('c.example', `/get_missing_events/${at}`, {})).status).toBe(403);
  });

  it('redacts what the server may not see, and is refused to others', async () => {
    const { at, before, joined } = await roomWithCarol('missing-hidden');
    const content = { earliest_events: [], latest_events: [joined.eventId], limit: 1 };
    const { body } = await app.ask('b.example', `/get_missing_events/${at}`, content);
    expect(body.events).toMatchObject([{ content: {}, hashes: before.pdu['hashes'] }]);
    expect((await app.ask('c.example', `/get_missing_events/${at}`, content)).status).toBe(403);
    for (const wrong of [
      { ...content, limit: 'x' },
      { ...content, latest_events: 1 },
      { ...content, latest_events: [1] },
      { ...content, latest_events: [{}] },
    ]) {
      expect((await app.ask('b.example', `/get_missing_events/${at}`, wrong)).status).toBe(400);
    }
  });
});

describe('a server that is not in the room any more', () => {
  it('is told what it may see still, and nothing that came later', async () => {
    const { room, at, joined, after } = await roomWithCarol('left');
    const kick = await room.setMembership(CAROL, 'leave', ALICE);
    const later = await room.say('later');
    const bodiesFrom = async (event: RoomEvent): Promise<unknown> => {
      const { status, body } = await app.ask('b.example', `/backfill/${at}?v=${escaped(event)}&limit=2`);
      return status === 200 ? contentsOf(body.pdus) : status;
    };
    expect(await bodiesFrom(later)).toEqual([]);
    expect(await bodiesFrom(kick)).toMatchObject([{ membership: 'leave' }, { body: 'after' }]);
    const stateAt = async (event: RoomEvent): Promise<number> =>
      (await app.ask('b.example', `/state_ids/${at}?event_id=${escaped(event)}`)).status;
    expect([await stateAt(joined), await stateAt(after), await stateAt(later)]).toEqual([200, 200, 404]);
  });

  it('is told nothing of the room by what becomes of its users afterwards, or what they ask for', async () => {
    const { room, others, at } = await roomWithCarol('outside');
    await room.setState('m.room.join_rules', { join_rule: 'knock' });
    await room.setMembership(CAROL, 'leave', ALICE);
    await room.setState('m.room.topic', { topic: 'behind their back' });
    const member = { sender: CAROL, type: 'm.room.member', stateKey: CAROL, content: { membership: 'knock' } };
    const knock = await others.receive({ ...member, prevEvents: await others.extremities() });
    expect((await app.ask('b.example', `/event/${escaped(knock)}`)).status).toBe(200);
    for (const own of [knock, await room.setMembership(CAROL, 'ban', ALICE)]) {
      for (const path of ['state', 'state_ids']) {
        expect((await app.ask('b.example', `/${path}/${at}?event_id=${escaped(own)}`)).status).toBe(404);
      }
      expect((await app.ask('b.example', `/backfill/${at}?v=${escaped(own)}&limit=9`)).body.pdus).toEqual([]);
      const missing = { earliest_events: [], latest_events: [own.eventId], limit: 9 };
      expect((await app.ask('b.example', `/get_missing_events/${at}`, missing)).body.events).toEqual([]);
    }
  });
});

describe('a room that shows its history', () => {
  it('gives a server that came later all that was before', async () => {
    const room = await LocalRoom.begin(app.log, '11', 'shared');
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    await room.say('long ago');
    const joined = await new ForkedRoom(app.log, room).join(DORA);
    const path = `/backfill/${encodeURIComponent(room.roomId)}?v=${escaped(joined)}&limit=2`;
    expect(contentsOf((await app.ask('c.example', path)).body.pdus)).toMatchObject([{}, { body: 'long ago' }]);
  });
});

it('messages of who has erased themselves are redacted for a server that came later', async () => {
  const room = await LocalRoom.begin(app.log, '11', 'erased');
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  const said = await room.say('of somebody who is gone');
  const others = new ForkedRoom(app.log, room);
  await others.join(CAROL);
  await app.views.follow();
  const at = app.log.facts.at(-1)!.position;
  const contentFor = async (server: string): Promise<Content> =>
    (await app.ask(server, `/event/${escaped(said)}`)).body.pdus[0].content;
  const note = (value: string | null): Promise<void> =>
    app.views.store.write([{ collection: 'erased-users', key: [ALICE], value }]);
  await note(JSON.stringify([{ at }]));
  await others.join(DORA);
  expect(await contentFor('b.example')).toMatchObject({ body: 'of somebody who is gone' });
  expect(await contentFor('c.example')).toEqual({});
  // What was said before their account was opened again stays erased; and what was said after it is not.
  const opened = (position: string): Promise<void> => note(JSON.stringify([{ at, until: { position, ts: 0 } }]));
  await opened(app.log.facts.at(-1)!.position);
  expect(await contentFor('c.example')).toEqual({});
  await opened(app.log.facts[0]!.position);
  expect(await contentFor('c.example')).toMatchObject({ body: 'of somebody who is gone' });
  await note(null);
});

it('whatever is asked for is answered in a standard form', async () => {
  const { at, after } = await roomWithCarol('odd');
  const odd = ['%00', '%2F', '$', '!', '%F0%9F%98%80', '__proto__', 'x'.repeat(300), '-1', '1e3', 'NaN', '%7B%7D'];
  const paths = odd.flatMap((one) => [
    `/event/${one}`,
    `/state/${one}?event_id=${escaped(after)}`,
    `/state/${at}?event_id=${one}`,
    `/state_ids/${at}?event_id=${one}`,
    `/event_auth/${at}/${one}`,
    `/backfill/${at}?v=${one}&limit=1`,
    `/backfill/${at}?v=${escaped(after)}&limit=${one}`,
    `/timestamp_to_event/${at}?ts=${one}&dir=b`,
    `/timestamp_to_event/${at}?ts=1&dir=${one}`,
    `/query/profile?user_id=${one}`,
    `/query/directory?room_alias=${one}`,
    `/hierarchy/${one}`,
    `/publicRooms?since=${one}`,
  ]);
  for (const path of paths) {
    const { status, body } = await app.ask('b.example', path);
    expect([path, status]).toEqual([
      path,
      expect.toSatisfy((code: number) => code === 200 || (code >= 400 && code < 500)),
    ]);
    if (status !== 200) expect([path, body.errcode]).toEqual([path, expect.stringMatching(/^M_/)]);
  }
});

it('numbers of old rooms keep their spelling', async () => {
  const { room, at } = await roomWithCarol('numbers', '5');
  const event = await room.send({ type: 'm.room.message', content: { n: new JsonNumber('1.50') } });
  const { text } = await app.ask('b.example', `/backfill/${at}?v=${escaped(event)}&limit=1`);
  expect(text).toContain('"content":{"n":1.50}');
});

it('nobody is told anything who does not say who they are', async () => {
  const { at, after } = await roomWithCarol('unsigned');
  for (const path of [
    `/event/${escaped(after)}`,
    `/state/${at}?event_id=${escaped(after)}`,
    `/backfill/${at}?v=$a&limit=1`,
  ]) {
    expect(await app.ask('', path)).toMatchObject({ status: 401, body: { errcode: 'M_UNAUTHORIZED' } });
  }
});
