import { setTimeout as delay } from 'node:timers/promises';
import { ClientEvent, createClient, type MatrixClient } from 'matrix-js-sdk';
import { MatrixRTCSessionEvent } from 'matrix-js-sdk/lib/matrixrtc/index.js';
import { computeRtcIdentityRaw } from 'matrix-js-sdk/lib/matrixrtc/membershipData/rtc.js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { FakeLiveKit } from '#testing/fake-livekit';
import { Homeserver } from './support/homeserver.js';
import { NODE_22 } from './support/node-22.js';
import { NEEDS, QUIET } from './support/sdk-device.js';
import { describeWithStores } from './support/stores.js';

// The library says every half a second that it is there.
vi.setConfig({ testTimeout: 120_000 });

const PATIENTLY = { timeout: 60_000 };
const CALL_MEMBER = 'org.matrix.msc3401.call.member';

describe.runIf(NODE_22)(NEEDS, () =>
  describeWithStores('calls with a client library', (stores) => {
    let server: Homeserver;
    let livekit: FakeLiveKit;
    let alice: MatrixClient;
    let roomId: string;

    beforeAll(async () => {
      livekit = await FakeLiveKit.start();
      server = await Homeserver.start({ ...stores, env: livekit.settings });
      const { token, userId, deviceId } = await server.register('alice');
      alice = createClient({ baseUrl: server.base, logger: QUIET, userId, accessToken: token, deviceId });
      await alice.startClient({ initialSyncLimit: 20, pollTimeout: 10_000 });
      await new Promise<void>((resolve) => {
        alice.on(ClientEvent.Sync, (state) => state === 'PREPARED' && resolve());
      });
      ({ room_id: roomId } = await alice.createRoom({}));
      await vi.waitUntil(() => alice.getRoom(roomId), PATIENTLY);
    });
    afterAll(async () => {
      alice?.stopClient();
      await server.remove();
      await livekit.stop();
    });

    async function scheduled(): Promise<string[]> {
      const path = '/_matrix/client/v1/delayed_events?status=scheduled';
      const { body } = await server.request('GET', path, { token: alice.getAccessToken()! });
      return body.delayed_events.map(({ delay_id: id }: { delay_id: string }) => id);
    }

    async function isInCall(): Promise<boolean> {
      const events = await alice.roomState(roomId);
      return events.some(({ type, content }) => type === CALL_MEMBER && Object.keys(content).length > 0);
    }

    test('are kept, and taken up again where the server has said the hang-up, and left', async () => {
      const session = alice.matrixRTC.getRoomSession(alice.getRoom(roomId)!);
      const failures: unknown[] = [];
      session.on(MatrixRTCSessionEvent.MembershipManagerError, (error) => failures.push(error));
      const transport = { type: 'livekit', livekit_service_url: 'https://sfu.example', livekit_alias: roomId } as const;
      const config = { delayedLeaveEventDelayMs: 4_000, delayedLeaveEventRestartMs: 500 };
      session.joinRoomSession([transport], undefined, config);
      await vi.waitUntil(isInCall, PATIENTLY);
      const [first] = await scheduled();
      await delay(5_000);
      expect([await scheduled(), await isInCall(), failures]).toEqual([[first], true, []]);

      // As who carries the call does, to whom it was lost.
      await server.request('POST', `/_matrix/client/v1/delayed_events/${first}/send`, { body: {} });
      await vi.waitUntil(async () => ((await scheduled())[0] ?? first) !== first && isInCall(), PATIENTLY);
      expect(failures).toEqual([]);

      await session.leaveRoomSession(10_000);
      await vi.waitUntil(async () => !(await isInCall()), PATIENTLY);
      expect([await scheduled(), failures]).toEqual([[], []]);
    });

    test('are carried by the LiveKit that the library finds, by the name that it makes itself, with a hang-up handed over', async () => {
      const [transport] = await alice._unstable_getRTCTransports();
      expect(transport).toMatchObject({ type: 'livekit', url: livekit.url });
      const member = { id: 'member', claimed_device_id: alice.getDeviceId()! };
      const call = { url: livekit.url, room_id: roomId, slot_id: 'm.call#ROOM', member };
      const { jwt } = await alice._unstable_getLivekitToken(call);
      const identity = await computeRtcIdentityRaw(alice.getUserId()!, member.claimed_device_id, member.id);
      expect(livekit.read(jwt).sub).toBe(identity);
      const { delay_id: id } = await alice._unstable_sendDelayedStateEvent(
        roomId,
        { delay: 3_600_000 },
        CALL_MEMBER as never,
        {} as never,
        '',
      );
      await alice._unstable_delegateDelayedLeave({ ...call, delay_id: id });
      livekit.letIn(jwt);
      await fetch(`${server.base}/_matrix/client/unstable/dev.annals.livekit/sfu_webhook`, livekit.putOut(jwt));
      expect(await scheduled()).not.toContain(id);
    });

    test('of what is sent later, as the library says it', async () => {
      const content = { msgtype: 'm.text', body: 'later' } as never;
      const later = (ms: number): Promise<string> =>
        alice
          ._unstable_sendDelayedEvent(roomId, { delay: ms }, null, 'm.room.message' as never, content)
          .then(({ delay_id: id }) => id);
      const [sent, never] = [await later(600_000), await later(600_000)];
      await alice._unstable_restartScheduledDelayedEvent(sent);
      await alice._unstable_sendScheduledDelayedEvent(sent);
      await alice._unstable_cancelScheduledDelayedEvent(never);
      await expect(alice._unstable_restartScheduledDelayedEvent(sent)).rejects.toMatchObject({
        errcode: 'M_NOT_FOUND',
      });
      const { delayed_events: told } = (await alice._unstable_getDelayedEvents(undefined, [sent, never])) as object as {
        delayed_events: { delay_id: string }[];
      };
      expect(told.map(({ delay_id: id }) => id).toSorted()).toEqual([sent, never].toSorted());
    });
  }),
);
