import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '#testing/free-port';
import { type Client, Homeserver } from './support/homeserver.js';
import { type Carrier, LIVEKIT, startFake, startLiveKit } from './support/livekit.js';

// Servers are started.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const RTC = '/_matrix/client/unstable/io.element.msc4195/rtc/livekit';
const SERVICE = '/_matrix/client/unstable/dev.annals.livekit';
const SLOT = 'm.call#ROOM';
const AN_HOUR = 3_600_000;

const needs = 'LiveKit itself: where SERVER_LIVEKIT names it';
describe('calls of many, by a stand-in for LiveKit', () => calls(startFake));
describe.skipIf(LIVEKIT === undefined)(`calls of many, by ${needs}`, () => calls(startLiveKit));

function calls(start: (listener: string) => Promise<Carrier>): void {
  let server: Homeserver;
  let carrier: Carrier;
  let alice: Client;
  let room: string;
  let port: number;

  beforeAll(async () => {
    port = await freePort();
    carrier = await start(`http://127.0.0.1:${port}${SERVICE}/sfu_webhook`);
    server = new Homeserver({ env: carrier.settings });
    await server.start(port);
    alice = await server.register('alice');
    room = await alice.createRoom();
  });
  afterAll(async () => {
    await server.remove();
    await carrier.stop();
  });

  const about = (memberId: string): object => ({
    url: carrier.url,
    room_id: room,
    slot_id: SLOT,
    member_id: memberId,
  });
  const tokenFor = async (memberId: string): Promise<string> =>
    (await alice.ok('POST', `${RTC}/get_token`, about(memberId))).jwt;
  const schedule = async (key: string): Promise<string> => {
    const path = `/rooms/${encodeURIComponent(room)}/state/a.call/${key}?org.matrix.msc4140.delay=${AN_HOUR}`;
    return (await alice.ok('PUT', path, { left: true })).delay_id;
  };
  const handOver = async (memberId: string, key: string): Promise<string> => {
    const id = await schedule(key);
    await alice.ok('POST', `${RTC}/delegate_delayed_leave`, { ...about(memberId), delay_id: id });
    return id;
  };
  const hasLeft = async (key: string): Promise<boolean> => {
    const path = `/rooms/${encodeURIComponent(room)}/state/a.call/${key}`;
    return (await alice.request('GET', path)).status === 200;
  };

  it('are entered with the tokens that are given out, in each of the ways in which clients ask', async () => {
    expect(await carrier.wouldLetIn(await tokenFor('one'))).toBe(true);
    const openId = await alice.ok('POST', `/user/${alice.userId}/openid/request_token`, {});
    const member = { id: 'one', claimed_user_id: alice.userId, claimed_device_id: alice.deviceId };
    for (const [path, body] of [
      ['sfu/get', { room, device_id: alice.deviceId }],
      ['get_token', { room_id: room, slot_id: SLOT, member }],
    ] as const) {
      const { body: given } = await server.request('POST', `${SERVICE}/${path}`, {
        body: { ...body, openid_token: openId },
      });
      expect([given.url, await carrier.wouldLetIn(given.jwt)]).toEqual([carrier.url, true]);
    }
  });

  it('are left by who is gone from LiveKit, as soon as that says so, also where the server was killed meanwhile', async () => {
    const [first, second] = [await tokenFor('first'), await tokenFor('second')];
    await handOver('first', '1');
    await handOver('second', '2');
    await carrier.enter(first);
    await carrier.enter(second);
    await carrier.leave(first);
    await expect.poll(() => hasLeft('1'), { timeout: 20_000, interval: 100 }).toBe(true);
    expect(await hasLeft('2')).toBe(false);
    await server.end('SIGKILL');
    await server.start(port);
    expect(await hasLeft('2')).toBe(false);
    await carrier.leave(second);
    await expect.poll(() => hasLeft('2'), { timeout: 20_000, interval: 100 }).toBe(true);
  });

  it('are left by who went while the server was dead, though they were looked after for a moment only before', async () => {
    const token = await tokenFor('gone');
    await carrier.enter(token);
    const id = await schedule('3');
    const runningSince = async (): Promise<number> =>
      (await alice.ok('GET', `/_matrix/client/v1/delayed_events/${id}`)).running_since;
    const before = await runningSince();
    await alice.ok('POST', `${RTC}/delegate_delayed_leave`, { ...about('gone'), delay_id: id });
    // It is looked whether they are there, by which it is put off.
    await expect.poll(runningSince).toBeGreaterThan(before);
    await server.end('SIGKILL');
    await carrier.leave(token).catch(() => {}); // nobody hears of it
    await server.start(port);
    await expect.poll(() => hasLeft('3'), { timeout: 20_000, interval: 100 }).toBe(true);
  });

  it('are left by who is put out of the room, though they have a token still', async () => {
    const bob = await server.register('bob');
    const other = encodeURIComponent(await bob.createRoom({ preset: 'public_chat' }));
    await alice.ok('POST', `/join/${other}`, {});
    const call = { ...about('three'), room_id: decodeURIComponent(other) };
    const [ofAlice, ofBob] = [
      (await alice.ok('POST', `${RTC}/get_token`, call)).jwt,
      (await bob.ok('POST', `${RTC}/get_token`, call)).jwt,
    ];
    await carrier.enter(ofAlice);
    await carrier.enter(ofBob);
    await bob.ok('POST', `/rooms/${other}/kick`, { user_id: alice.userId });
    await expect.poll(() => carrier.isIn(ofAlice), { timeout: 20_000, interval: 100 }).toBe(false);
    await carrier.enter(ofAlice);
    // LiveKit says that somebody came once media can flow, which takes more than a test has. It is looked at who is there when the next one goes.
    await bob.ok('POST', `/rooms/${other}/ban`, { user_id: alice.userId });
    await expect.poll(() => carrier.isIn(ofAlice), { timeout: 20_000, interval: 100 }).toBe(false);
    expect(carrier.isIn(ofBob)).toBe(true);
  });
}
