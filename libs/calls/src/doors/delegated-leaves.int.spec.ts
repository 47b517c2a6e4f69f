import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeLiveKit } from '#testing/fake-livekit';
import { type RoomsAnswer, type RoomsApp, startRoomsApp, type TestUser } from '#testing/rooms-app';

const RTC = '/_matrix/client/unstable/io.element.msc4195/rtc/livekit';
const SERVICE = '/_matrix/client/unstable/dev.annals.livekit';
const TYPE = 'org.matrix.msc3401.call.member';
const SLOT = 'm.call#ROOM';
const LONG = 3_600_000;

describe('hang-ups that are handed over', () => {
  let livekit: FakeLiveKit;
  let app: RoomsApp;
  let alice: TestUser;
  let roomId: string;
  let member: number;

  beforeAll(async () => {
    livekit = await FakeLiveKit.start();
    app = await startRoomsApp([], livekit.settings);
    alice = await app.register('alice');
    member = 0;
  });
  beforeEach(async () => {
    roomId = await alice.createRoom();
    member++;
  });
  afterAll(async () => {
    await app.close();
    await livekit.stop();
  });

  const about = (more: object = {}): object => ({
    url: livekit.url,
    room_id: roomId,
    slot_id: SLOT,
    member_id: `m${member}`,
    ...more,
  });
  const tokenOf = async (): Promise<string> => (await alice.ok('POST', `${RTC}/get_token`, about())).jwt;
  const schedule = async (delay = LONG, stateKey = ''): Promise<string> => {
    const path = `/rooms/${roomId}/state/${TYPE}/${stateKey}?org.matrix.msc4140.delay=${delay}`;
    return (await alice.ok('PUT', path, {})).delay_id;
  };
  const delegate = (delayId: string, more: object = {}): Promise<RoomsAnswer> =>
    alice.call('POST', `${RTC}/delegate_delayed_leave`, about({ delay_id: delayId, ...more }));
  const isWaiting = async (delayId: string): Promise<boolean> => {
    const { body } = await alice.call('GET', `/_matrix/client/v1/delayed_events/${delayId}`);
    return body.origin_server_ts === undefined;
  };
  const isSent = async (): Promise<boolean> =>
    (await alice.call('GET', `/rooms/${roomId}/state/${TYPE}/`)).status === 200;
  const looks = (): number => livekit.asked.filter((method) => method === 'GetParticipant').length;
  const hear = async (request: ReturnType<FakeLiveKit['putOut']>): Promise<RoomsAnswer> =>
    app.send(`${SERVICE}/sfu_webhook`, request);

  it('are sent once LiveKit says that who is in the call is gone, and not before', async () => {
    const token = await tokenOf();
    const delayId = await schedule();
    expect((await delegate(delayId)).body).toEqual({});
    livekit.letIn(token);
    // Somebody who is there again by the time that it is heard of.
    const left = livekit.putOut(token);
    livekit.letIn(token);
    expect((await hear(left)).status).toBe(200);
    expect(await isWaiting(delayId)).toBe(true);
    expect((await hear(livekit.putOut(token))).status).toBe(200);
    expect([await isWaiting(delayId), await isSent()]).toEqual([false, true]);
    // Of what is over nothing more is to be done.
    expect((await hear(left)).status).toBe(200);
  });

  it('are put off while who is in the call is there, and sent once they are not, though nobody said so', async () => {
    livekit.letIn(await tokenOf());
    const delayId = await schedule(10_000);
    const { body: before } = await alice.call('GET', `/_matrix/client/v1/delayed_events/${delayId}`);
    await delegate(delayId);
    const runningSince = async (): Promise<number> =>
      (await alice.call('GET', `/_matrix/client/v1/delayed_events/${delayId}`)).body.running_since;
    await expect.poll(runningSince, { interval: 250 }).toBeGreaterThan(before.running_since);
    livekit.putOut(await tokenOf());
    await expect.poll(isSent, { interval: 250 }).toBe(true);
  });

  it('are looked after for one membership once: the last that was handed over', async () => {
    const token = await tokenOf();
    const [first, second] = [await schedule(LONG, 'a'), await schedule()];
    await delegate(first);
    await delegate(second);
    await delegate(second);
    livekit.letIn(token);
    await hear(livekit.putOut(token));
    expect([await isWaiting(first), await isWaiting(second)]).toEqual([true, false]);
  });

  it('are let go of by who cancels or sends them', async () => {
    const token = await tokenOf();
    const delayId = await schedule();
    await delegate(delayId);
    livekit.letIn(token);
    await app.call('POST', `/_matrix/client/v1/delayed_events/${delayId}/cancel`, { body: {} });
    await hear(livekit.putOut(token));
    expect(await isSent()).toBe(false);
  });

  it('wait for who has not come yet, as they do where LiveKit does not say', async () => {
    const delayId = await schedule();
    const before = looks();
    await delegate(delayId);
    await expect.poll(looks).toBeGreaterThan(before);
    livekit.fails = 500;
    const { body } = await alice.call('POST', `${RTC}/delegate_delayed_leave`, about({ delay_id: await schedule() }));
    livekit.fails = undefined;
    expect([body, await isWaiting(delayId)]).toEqual([{}, true]);
  });

  it('are refused where they are not theirs, of another room, too short, or of another LiveKit', async () => {
    const bob = await app.register(`bob${member}`);
    const delayId = await schedule();
    const refused = async (more: object, id = delayId): Promise<string> => (await delegate(id, more)).body.errcode;
    expect(await refused({ room_id: await alice.createRoom() })).toBe('M_INVALID_PARAM');
    expect(await refused({ url: 'wss://elsewhere.example' })).toBe('M_INVALID_PARAM');
    expect(await refused({}, 'unknown')).toBe('M_INVALID_PARAM');
    expect(await refused({}, await schedule(9_999))).toBe('M_INVALID_PARAM');
    expect(await refused({ delay_id: undefined })).toBe('M_MISSING_PARAM');
    expect(await refused({ delay_id: 1 })).toBe('M_BAD_JSON');
    const ofBob = await bob.call('POST', `${RTC}/delegate_delayed_leave`, about({ delay_id: delayId }));
    expect(ofBob.body.errcode).toBe('M_INVALID_PARAM');
    expect((await app.call('POST', `${RTC}/delegate_delayed_leave`)).body.errcode).toBe('M_MISSING_TOKEN');
  });

  it('are handed over as to lk-jwt-service too, with a token or without', async () => {
    const openId = await alice.ok('POST', `/user/${alice.userId}/openid/request_token`, {});
    const old = { room: roomId, openid_token: openId, device_id: 'DEVICE' };
    const [first, second] = [await schedule(LONG, 'a'), await schedule()];
    const { body } = await app.call('POST', `${SERVICE}/sfu/get`, { body: { ...old, delay_id: first } });
    livekit.letIn(body.jwt);
    await hear(livekit.putOut(body.jwt));
    expect([await isWaiting(first), await isWaiting(second)]).toEqual([false, true]);
    const sticky = {
      room_id: roomId,
      slot_id: SLOT,
      openid_token: openId,
      member: { id: 'm', claimed_user_id: alice.userId, claimed_device_id: 'DEVICE' },
    };
    const { body: given } = await app.call('POST', `${SERVICE}/get_token`, { body: sticky });
    const handed = await app.call('POST', `${SERVICE}/delegate_delayed_leave`, {
      body: { ...sticky, delay_id: second },
    });
    expect([handed.status, handed.body]).toEqual([200, {}]);
    livekit.letIn(given.jwt);
    await hear(livekit.putOut(given.jwt));
    expect(await isWaiting(second)).toBe(false);
  });

  it('are sent by no word that is not of LiveKit', async () => {
    const token = await tokenOf();
    const delayId = await schedule();
    await delegate(delayId);
    const { body, headers } = livekit.putOut(token);
    const other = livekit.webhook({ event: 'room_started' });
    for (const [said, by] of [
      [`${body} `, headers],
      [body, other.headers],
      [body, {}],
      [body, { authorization: `Bearer ${token}` }],
    ] as const) {
      const answer = await app.send(`${SERVICE}/sfu_webhook`, { method: 'POST', headers: by, body: said });
      expect([answer.status, answer.body.errcode]).toEqual([401, 'M_UNAUTHORIZED']);
    }
    expect((await hear(other)).status).toBe(200);
    expect(await isWaiting(delayId)).toBe(true);
  });
});

it('hands nothing over where there is no LiveKit, as is said to who has no token', async () => {
  const app = await startRoomsApp();
  try {
    const answer = await app.call('POST', `${RTC}/delegate_delayed_leave`);
    expect([answer.status, answer.body.errcode]).toEqual([404, 'M_UNRECOGNIZED']);
    const webhook = await app.call('POST', `${SERVICE}/sfu_webhook`);
    expect([webhook.status, webhook.body.errcode]).toEqual([404, 'M_UNRECOGNIZED']);
  } finally {
    await app.close();
  }
});
