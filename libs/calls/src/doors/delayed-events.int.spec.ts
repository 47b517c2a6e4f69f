import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type RoomsApp, type RoomsAnswer, startRoomsApp, type TestUser } from '#testing/rooms-app';

const UNSTABLE = '/_matrix/client/unstable/org.matrix.msc4140';
const STABLE = '/_matrix/client/v1';
const LONG = 600_000;

let app: RoomsApp;
let alice: TestUser;
let bob: TestUser;
let room: string;
let roomId: string;
let transactions = 0;

beforeEach(async () => {
  app = await startRoomsApp();
  [alice, bob] = [await app.register('alice'), await app.register('bob')];
  roomId = await alice.createRoom({ preset: 'public_chat' });
  room = encodeURIComponent(roomId);
  await bob.ok('POST', `/rooms/${room}/join`, {});
});
afterEach(async () => {
  vi.useRealTimers();
  await app.close();
});

const text = (body: string): object => ({ msgtype: 'm.text', body });

/** However long requests take: no time goes by but by `pass`. What is due then is looked at again when its own time is over. */
const holdClock = (): unknown => vi.useFakeTimers({ toFake: ['Date'] });
const pass = (ms: number): unknown => vi.setSystemTime(Date.now() + ms);

async function schedule(user: TestUser, content: object, ms: number, txnId = `t${transactions++}`): Promise<string> {
  const path = `/rooms/${room}/send/m.room.message/${txnId}?org.matrix.msc4140.delay=${ms}`;
  return (await user.ok('PUT', path, content)).delay_id;
}

async function scheduleState(user: TestUser, content: object, ms: number, stateKey = 'key'): Promise<string> {
  const body = { delay: ms, content, state_key: stateKey };
  return (await user.ok('PUT', `/rooms/${room}/delayed_event/a.state/t${transactions++}`, body)).delay_id;
}

/** Nobody needs a token for this. */
const manage = (id: string, action: string): Promise<RoomsAnswer> =>
  app.call('POST', `${STABLE}/delayed_events/${id}/${action}`, { body: {} });

const find = async (user: TestUser, id: string): Promise<RoomsAnswer['body']> =>
  (await app.call('GET', `${STABLE}/delayed_events/${id}`, { token: user.token })).body;

async function list(user: TestUser, query = ''): Promise<RoomsAnswer['body']> {
  return (await app.call('GET', `${STABLE}/delayed_events${query}`, { token: user.token })).body;
}

async function untilEnded(user: TestUser, id: string): Promise<RoomsAnswer['body']> {
  for (;;) {
    const told = await find(user, id);
    if (told.origin_server_ts !== undefined) return told;
    await delay(20);
  }
}

async function bodies(): Promise<string[]> {
  const { chunk } = await alice.ok('GET', `/rooms/${room}/messages?dir=f&limit=100`);
  return chunk.flatMap(({ content }: { content: { body?: string } }) => content.body ?? []);
}

const stateOf = (key = 'key'): Promise<RoomsAnswer> => alice.call('GET', `/rooms/${room}/state/a.state/${key}`);

describe('an event that is to be sent later', () => {
  it('is sent once its time has come, and no sooner, as a message and as state', async () => {
    holdClock();
    const began = Date.now();
    const message = await schedule(alice, text('later'), 300);
    const state = await scheduleState(alice, { is: 'set' }, 300);
    const query = `/rooms/${room}/state/a.state/other?org.matrix.msc4140.delay=300`;
    const { delay_id: other } = await alice.ok('PUT', query, { by: 'query' });
    expect(await bodies()).toEqual([]);
    expect((await stateOf()).status).toBe(404);
    expect(await find(alice, message)).toEqual({
      delay_id: message,
      room_id: roomId,
      type: 'm.room.message',
      delay: 300,
      running_since: expect.any(Number),
      content: text('later'),
    });
    pass(300);
    const sent = await untilEnded(alice, message);
    expect(sent.origin_server_ts - began).toBeGreaterThanOrEqual(300);
    expect(sent).toMatchObject({ content: text('later'), event_id: expect.stringMatching(/^\$/) });
    for (const id of [state, other]) await untilEnded(alice, id);
    expect(await bodies()).toEqual(['later']);
    expect((await stateOf()).body).toEqual({ is: 'set' });
    expect((await stateOf('other')).body).toEqual({ by: 'query' });
  });

  it('is known by its id to its sender alone, on every device', async () => {
    const id = await schedule(alice, text('later'), 1);
    const { event_id: eventId } = await untilEnded(alice, id);
    const path = `/rooms/${room}/event/${eventId}`;
    expect((await alice.ok('GET', path)).unsigned).toMatchObject({
      delay_id: id,
      'org.matrix.msc4140.delay_id': id,
    });
    const { unsigned } = await bob.ok('GET', path);
    expect(Object.keys(unsigned).filter((key) => key.includes('delay'))).toEqual([]);
    expect((await find(bob, id)).errcode).toBe('M_NOT_FOUND');
  });

  it('waits anew when somebody says so who knows its id, with a token or without', async () => {
    holdClock();
    const id = await schedule(alice, text('alive no more'), 1_000);
    for (let i = 0; i < 4; i++) {
      pass(700);
      const path = `${UNSTABLE}/delayed_events/${id}`;
      const answer =
        i % 2 === 0 ? await manage(id, 'restart') : await app.call('POST', path, { body: { action: 'restart' } });
      expect(answer).toEqual({ status: 200, body: {} });
    }
    expect(await bodies()).toEqual([]);
    pass(1_000);
    await untilEnded(alice, id);
    expect(await bodies()).toEqual(['alive no more']);
  });

  it('is sent at once, or never, when they say that; the same again is well, and what contradicts it is a conflict', async () => {
    const [sent, cancelled] = [await schedule(alice, text('now'), LONG), await schedule(alice, text('never'), LONG)];
    for (let i = 0; i < 2; i++) {
      expect((await manage(sent, 'send')).status).toBe(200);
      expect((await manage(cancelled, 'cancel')).status).toBe(200);
    }
    expect(await bodies()).toEqual(['now']);
    for (const [id, action] of [
      [sent, 'cancel'],
      [sent, 'restart'],
      [cancelled, 'send'],
      [cancelled, 'restart'],
    ] as const) {
      const { status, body } = await manage(id, action);
      expect([status, body.errcode]).toEqual([409, 'M_UNKNOWN']);
      // matrix-js-sdk schedules anew where there is none, and ends the call by all else.
      const path = `${UNSTABLE}/delayed_events/${id}`;
      expect((await app.call('POST', `${path}/${action}`)).body.errcode).toBe('M_NOT_FOUND');
      expect((await app.call('POST', path, { body: { action } })).body.errcode).toBe('M_NOT_FOUND');
    }
    for (const action of ['send', 'cancel', 'restart']) {
      expect((await manage('nothing', action)).body.errcode).toBe('M_NOT_FOUND');
    }
    expect((await manage(sent, 'other')).body.errcode).toBe('M_UNRECOGNIZED');
    const wrong = await app.call('POST', `${UNSTABLE}/delayed_events/${sent}`, { body: { action: 'other' } });
    expect(wrong.status).toBe(400);
  });

  it('may be refused when it is to be sent: it goes on waiting where somebody said so, and ends where its time had come', async () => {
    holdClock();
    const [early, late] = [await schedule(bob, text('early'), LONG), await schedule(bob, text('late'), 400)];
    await alice.ok('POST', `/rooms/${room}/kick`, { user_id: bob.userId });
    expect((await manage(early, 'send')).body.errcode).toBe('M_FORBIDDEN');
    expect(await find(bob, early)).not.toHaveProperty('origin_server_ts');
    pass(400);
    expect(await untilEnded(bob, late)).toMatchObject({ content: text('late'), error: { errcode: 'M_FORBIDDEN' } });
    expect((await manage(late, 'cancel')).status).toBe(200);
    await bob.ok('POST', `/rooms/${room}/join`, {});
    expect((await manage(early, 'send')).status).toBe(200);
    expect(await bodies()).toEqual(['early']);
  });

  it('ends where there is no such room, or all have left and forgotten it', async () => {
    const unknown = `/rooms/${encodeURIComponent('!nothing:a.example')}`;
    const ids: string[] = [];
    for (const path of [
      `${unknown}/state/a.state/key`,
      `${unknown}/send/m.room.message/t`,
      `${unknown}/state/m.room.member/${alice.userId}`,
    ]) {
      const body = path.includes('member') ? { membership: 'leave' } : text('x');
      ids.push((await alice.ok('PUT', `${path}?org.matrix.msc4140.delay=1`, body)).delay_id);
    }
    const [said, late] = [await schedule(alice, text('said'), LONG), await schedule(alice, text('late'), LONG)];
    await manage(said, 'send');
    for (const user of [alice, bob]) {
      await user.ok('POST', `/rooms/${room}/leave`, {});
      await user.ok('POST', `/rooms/${room}/forget`, {});
    }
    expect((await manage(late, 'send')).body.errcode).toBe('M_FORBIDDEN');
    ids.push(await scheduleState(alice, { is: 'late' }, 1));
    for (const id of ids) expect((await untilEnded(alice, id)).error.errcode).toMatch(/^M_(FORBIDDEN|NOT_FOUND)$/);
    expect(await find(alice, said)).toMatchObject({ delay_id: said, event_id: expect.any(String), content: {} });
  });

  it('is scheduled once for one transaction', async () => {
    const id = await schedule(alice, text('once'), LONG, 'same');
    expect(await schedule(alice, text('once'), LONG, 'same')).toBe(id);
    expect(await schedule(bob, text('once'), LONG, 'same')).not.toBe(id);
    await manage(id, 'send');
    expect(await schedule(alice, text('once'), LONG, 'same')).toBe(id);
    expect(await bodies()).toEqual(['once']);
  });

  it('redacts, and is redacted: what was sent is told as the room has it', async () => {
    const id = await schedule(alice, text('secret'), 1);
    const { event_id: eventId } = await untilEnded(alice, id);
    const path = `/rooms/${room}/delayed_event/m.room.redaction/redaction`;
    const { delay_id: redaction } = await alice.ok('PUT', path, { delay: 1, content: { redacts: eventId } });
    await untilEnded(alice, redaction);
    expect(await find(alice, id)).toMatchObject({ content: {}, event_id: eventId });
    for (;;) {
      let log = '';
      for await (const { data } of app.store.readStream(`delayed-${alice.userId}`)) log += data;
      if (!log.includes('secret')) break;
      await delay(20);
    }
  });

  it('is told without its content once its room keeps it no longer', async () => {
    await app.close();
    holdClock();
    app = await startRoomsApp([], { ANNALS_RETENTION: 'on' });
    alice = await app.register('alice');
    room = encodeURIComponent(await alice.createRoom());
    await alice.ok('PUT', `/rooms/${room}/state/m.room.retention/`, { max_lifetime: LONG });
    const id = await schedule(alice, text('secret'), LONG);
    await manage(id, 'send');
    expect(await find(alice, id)).toMatchObject({ content: text('secret') });
    pass(LONG);
    expect(await find(alice, id)).toMatchObject({ content: {}, event_id: expect.any(String) });
    expect(JSON.stringify(await list(alice))).not.toContain('secret');
  });

  it('is refused where there are too many, or it is to wait for too long, or it is none', async () => {
    const put = (body: unknown, type = 'm.room.message'): Promise<RoomsAnswer> =>
      alice.call('PUT', `/rooms/${room}/delayed_event/${type}/t${transactions++}`, body);
    const content = text('x');
    const { status, body } = await put({ delay: 1e12, content });
    expect([status, body.errcode, body.max_delay]).toEqual([400, 'M_MAX_DELAY_EXCEEDED', 2_592_000_000]);
    const unstable = `${UNSTABLE}/rooms/${room}/delayed_event/m.room.message/t`;
    expect((await alice.call('PUT', unstable, { delay: 1e12, content })).body).toMatchObject({
      errcode: 'ORG.MATRIX.MSC4140_MAX_DELAY_EXCEEDED',
      'org.matrix.msc4140.max_delay': 2_592_000_000,
    });
    const asTried = async (query: string): Promise<RoomsAnswer> =>
      alice.call('PUT', `/rooms/${room}/state/a.state/key?org.matrix.msc4140.${query}`, {});
    expect((await asTried('delay=1000000000000')).body).toMatchObject({
      errcode: 'M_UNKNOWN',
      'org.matrix.msc4140.errcode': 'M_MAX_DELAY_EXCEEDED',
      'org.matrix.msc4140.max_delay': 2_592_000_000,
    });
    expect((await asTried('parent_delay_id=x')).body.errcode).toBe('M_INVALID_PARAM');
    expect((await asTried('delay=')).body.errcode).toBe('M_INVALID_PARAM');
    expect((await stateOf()).status).toBe(404);
    for (const wrong of [{}, { content }, { delay: 0, content }, { delay: 1.5, content }, { delay: 1 }]) {
      expect((await put(wrong)).status).toBe(400);
    }
    expect((await put({ delay: 1, content: { a: 'x'.repeat(70_000) } })).body.errcode).toBe('M_TOO_LARGE');
    expect((await put({ delay: 1, content, state_key: '' }, 'm.room.create')).status).toBe(400);
    for (let i = 0; i < 100; i++) await schedule(alice, text('many'), LONG);
    const last = await put({ delay: LONG, content });
    expect([last.status, last.body.errcode]).toEqual([429, 'M_LIMIT_EXCEEDED']);
    expect(last.body.retry_after_ms).toBeGreaterThan(LONG / 2);
  }, 60_000);
});

describe('the list of what one sends later', () => {
  it('goes by pages in either direction, by what is asked for', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push(await schedule(alice, text(`${i}`), LONG + i * 1_000));
    const first = await list(alice);
    expect(first.delayed_events.map(idOf)).toEqual(ids.slice(0, 10));
    const second = await list(alice, `?from=${first.next_batch}`);
    expect(second).toMatchObject({ delayed_events: [{ delay_id: ids[10] }, { delay_id: ids[11] }] });
    expect(second).not.toHaveProperty('next_batch');
    const back = await list(alice, '?dir=b&since_ts=end');
    expect(back.delayed_events.map(idOf)).toEqual(ids.toReversed().slice(0, 10));
    expect((await list(alice, `?dir=b&from=${back.prev_batch}`)).delayed_events).toHaveLength(2);
    expect((await list(bob)).delayed_events).toEqual([]);
  });

  it('has what ended, and how', async () => {
    const [sent, cancelled, waiting] = [
      await schedule(alice, text('sent'), LONG),
      await schedule(alice, text('cancelled'), LONG),
      await schedule(alice, text('waiting'), LONG),
    ];
    await manage(sent, 'send');
    await manage(cancelled, 'cancel');
    const ended = `since_ts=0&status=finalised`;
    expect((await list(alice, '?status=scheduled')).delayed_events.map(idOf)).toEqual([waiting]);
    expect((await list(alice, `?${ended}&order_by=origin_server_ts`)).delayed_events.map(idOf)).toEqual([
      sent,
      cancelled,
    ]);
    expect((await list(alice, `?${ended}&outcome=cancel`)).delayed_events.map(idOf)).toEqual([cancelled]);
    expect((await list(alice, `?${ended}&reason=delay`)).delayed_events).toEqual([]);
    expect((await list(alice, '?since_ts=0&type=other')).delayed_events).toEqual([]);
    expect((await list(alice, `?since_ts=0&room_id=${room}`)).delayed_events).toHaveLength(3);
    const some = `?delay_id=${sent}&delay_id=${waiting}&delay_id=other`;
    expect((await list(alice, some)).delayed_events.map(idOf)).toEqual([sent, waiting]);
    expect((await list(alice, `${some}&status=scheduled`)).delayed_events.map(idOf)).toEqual([waiting]);
    expect((await list(bob, some)).delayed_events).toEqual([]);
    for (const wrong of [
      'status=x',
      'dir=x',
      'order_by=x',
      'outcome=x',
      'reason=x',
      'since_ts=x',
      'from=x',
      'room_id=x',
    ]) {
      expect((await list(alice, `?${wrong}`)).errcode).toBe('M_INVALID_PARAM');
    }
  });
});

const idOf = ({ delay_id: id }: { delay_id: string }): string => id;
