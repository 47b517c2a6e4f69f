import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#kernel/clock';
import { type RoomsAnswer, type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';
import { listReports, NoSuchReport, type Report, Reports } from '../reports/reports.js';

let app: RoomsApp;
let alice: TestUser;
let bob: TestUser;
let room: string;
let said: string;

beforeAll(async () => {
  app = await startRoomsApp();
  alice = await app.register('alice');
  bob = await app.register('bob');
  room = await alice.createRoom({ preset: 'public_chat', name: 'Den', topic: 'of thieves' });
  await bob.ok('POST', `/join/${room}`, {});
  said = (await bob.ok('PUT', `/rooms/${room}/send/m.room.message/t`, { msgtype: 'm.text', body: 'boo' })).event_id;
});
afterAll(() => app.close());

const last = async (): Promise<Report | undefined> => (await listReports(app.store)).at(-1);
const count = async (): Promise<number> => (await listReports(app.store)).length;

describe('reports', () => {
  it('of an event are kept with it, whatever becomes of it', async () => {
    expect(await alice.ok('POST', `/rooms/${room}/report/${said}`, { reason: 'rude', score: -100 })).toEqual({});
    await bob.ok('PUT', `/rooms/${room}/redact/${said}/r`, {});
    expect(await last()).toMatchObject({
      by: alice.userId,
      thing: { kind: 'event', room_id: room, event_id: said, sender: bob.userId },
      told: { reason: 'rude', content: { content: { body: 'boo' }, type: 'm.room.message', sender: bob.userId } },
      isClosed: false,
    });
    expect(await alice.ok('POST', `/rooms/${room}/report/${said}`, {})).toEqual({});
    expect((await last())?.told).toMatchObject({ reason: '', content: { content: {} } });
  });

  it('of an event are for those alone who are in the room and are shown it', async () => {
    const before = await count();
    const carol = await app.register('carol');
    const refused = [
      [carol, `/rooms/${room}/report/${said}`],
      [alice, `/rooms/${room}/report/$none`],
      [alice, `/rooms/!none:a.example/report/${said}`],
    ] as const;
    for (const [user, path] of refused) {
      const { status, body } = await user.call('POST', path, { reason: 'x' });
      expect([path, status, body.errcode]).toEqual([path, 404, 'M_NOT_FOUND']);
    }
    await carol.ok('POST', `/join/${room}`, {});
    await carol.ok('POST', `/rooms/${room}/leave`, {});
    expect((await carol.call('POST', `/rooms/${room}/report/${said}`, { reason: 'x' })).status).toBe(404);
    expect(await count()).toBe(before);
  });

  it('of a room and of a user are for everybody, and do not tell whether these are there', async () => {
    const dave = await app.register('dave');
    await dave.ok('POST', `/rooms/${room}/report`, { reason: 'all of it' });
    expect(await last()).toMatchObject({
      thing: { kind: 'room', room_id: room },
      told: { reason: 'all of it', content: { name: 'Den', topic: 'of thieves' } },
    });
    await dave.ok('POST', `/users/${bob.userId}/report`, { reason: '' });
    expect(await last()).toMatchObject({ by: dave.userId, thing: { kind: 'user', user_id: bob.userId } });
    await dave.ok('POST', '/users/@eve:b.example/report', { reason: 'elsewhere' });
    expect(await last()).toMatchObject({ thing: { user_id: '@eve:b.example' }, told: { reason: 'elsewhere' } });
    const before = await count();
    expect(await dave.ok('POST', '/rooms/!none:a.example/report', { reason: 'x' })).toEqual({});
    expect(await dave.ok('POST', '/users/@nobody:a.example/report', { reason: 'x' })).toEqual({});
    expect(await count()).toBe(before);
  });

  it('of one user are kept as long as not too many wait for an operator', async () => {
    const frank = await app.register('frank');
    const report = (reason: string): Promise<RoomsAnswer> =>
      frank.call('POST', `/users/${bob.userId}/report`, { reason });
    for (let i = 0; i < 100; i++) expect((await report(`number ${i}`)).status).toBe(200);
    const before = await count();
    expect(await report('one more')).toMatchObject({ status: 429, body: { errcode: 'M_LIMIT_EXCEEDED' } });
    // Whether or not what is reported is there, and theirs to see.
    for (const path of ['/rooms/!none:a.example', '/users/@nobody:a.example', `/rooms/${room}`]) {
      const { status } = await frank.call('POST', `${path}/report`, { reason: 'one more' });
      expect([path, status]).toEqual([path, 429]);
    }
    expect((await frank.call('POST', `/rooms/${room}/report/${said}`, { reason: 'one more' })).status).toBe(429);
    expect(await count()).toBe(before);
    await alice.ok('POST', `/users/${bob.userId}/report`, { reason: 'of somebody else' });
    const reports = new Reports(app.store, systemClock);
    const first = (await listReports(app.store)).find(({ by }) => by === frank.userId)!;
    for (let again = 0; again < 2; again++) await reports.close(first.id);
    const closed = (await listReports(app.store)).find(({ id }) => id === first.id);
    expect(closed).toMatchObject({ isClosed: true, told: undefined });
    await expect(reports.close(1_000_000)).rejects.toThrow(NoSuchReport);
    await expect(reports.close(-1)).rejects.toThrow(NoSuchReport);
    expect((await report('now')).status).toBe(200);
    expect((await report('no more')).status).toBe(429);
  });

  it('need a reason of some length, and of a user a name', async () => {
    for (const [path, body, errcode] of [
      [`/rooms/${room}/report`, {}, 'M_MISSING_PARAM'],
      [`/users/${bob.userId}/report`, { reason: 1 }, 'M_BAD_JSON'],
      [`/users/${bob.userId}/report`, { reason: 'x'.repeat(2_001) }, 'M_BAD_JSON'],
      [`/rooms/${room}/report/${said}`, { reason: [] }, 'M_BAD_JSON'],
      ['/users/bob/report', { reason: 'x' }, 'M_INVALID_PARAM'],
    ] as const) {
      const { status, body: answer } = await alice.call('POST', path, body);
      expect([path, status, answer.errcode]).toEqual([path, 400, errcode]);
    }
  });
});
