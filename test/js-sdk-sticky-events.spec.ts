import { ClientEvent, createClient, type MatrixClient, SyncState } from 'matrix-js-sdk';
import { type MatrixRTCSession, MatrixRTCSessionEvent } from 'matrix-js-sdk/lib/matrixrtc/index.js';
import { SlidingSync } from 'matrix-js-sdk/lib/sliding-sync.js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Client, Homeserver, WITHOUT_PRESENCE } from './support/homeserver.js';
import { NODE_22 } from './support/node-22.js';
import { NEEDS, QUIET } from './support/sdk-device.js';
import { describeWithStores } from './support/stores.js';

// The library says every half a second that it is there.
vi.setConfig({ testTimeout: 120_000 });

const TRANSPORT = { type: 'livekit', livekit_service_url: 'https://sfu.example' } as const;
const CONFIG = { unstableSendStickyEvents: true, delayedLeaveEventDelayMs: 4_000, delayedLeaveEventRestartMs: 500 };

describe.runIf(NODE_22)(NEEDS, () =>
  describeWithStores('calls of which a client library tells by sticky events', (stores) => {
    let server: Homeserver;
    const running: MatrixClient[] = [];

    beforeEach(async () => {
      server = await Homeserver.start({ ...stores, env: { ...WITHOUT_PRESENCE, ANNALS_STICKY_EVENTS: 'on' } });
    });
    afterEach(async () => {
      for (const client of running.splice(0)) client.stopClient();
      await server.remove();
    });

    /** A client of a user, who begins with nothing; by sliding sync with one list. */
    async function started({ token, userId, deviceId }: Client, isSliding = false): Promise<MatrixClient> {
      const client = createClient({ baseUrl: server.base, logger: QUIET, userId, accessToken: token, deviceId });
      running.push(client);
      const list = { ranges: [[0, 19]], required_state: [['*', '*']], timeline_limit: 1 };
      const lists = new Map([['all', list as never]]);
      const slidingSync = isSliding
        ? new SlidingSync(server.base, lists, { timeline_limit: 1, required_state: [] }, client, 5_000)
        : undefined;
      const ready = new Promise<void>((resolve) => {
        client.on(ClientEvent.Sync, (state) => {
          if (state === SyncState.Prepared || state === SyncState.Syncing) resolve();
        });
      });
      await client.startClient({ initialSyncLimit: 1, pollTimeout: 5_000, slidingSync });
      await ready;
      return client;
    }

    async function sessionOf(client: MatrixClient, roomId: string): Promise<MatrixRTCSession> {
      await vi.waitUntil(() => client.getRoom(roomId), { timeout: 60_000 });
      return client.matrixRTC.getRoomSession(client.getRoom(roomId)!);
    }

    const untilIn = (session: MatrixRTCSession, ...users: readonly string[]): Promise<void> =>
      expect
        .poll(() => session.memberships.map(({ userId }) => userId).toSorted(), { interval: 100 })
        .toEqual(users.toSorted());

    test('go on for who is there, who comes later and who speaks sliding sync, also where the server is killed, until one hangs up', async () => {
      const people = await Promise.all(['alice', 'bob', 'carol', 'dave'].map((name) => server.register(name)));
      const [alice, bob, carol, dave] = people as [Client, Client, Client, Client];
      const roomId = await alice.createRoom({ preset: 'public_chat' });
      await bob.ok('POST', `/join/${encodeURIComponent(roomId)}`, {});
      const [atAlices, atBobs] = [await started(alice), await started(bob)];
      const [call, seen] = [await sessionOf(atAlices, roomId), await sessionOf(atBobs, roomId)];
      const failures: unknown[] = [];
      call.on(MatrixRTCSessionEvent.MembershipManagerError, (error) => failures.push(error));
      call.joinRoomSession([TRANSPORT], TRANSPORT, CONFIG);
      await untilIn(seen, alice.userId);

      // Nothing of the call is in the timeline of who begins now, nor in the state of the room.
      for (let n = 0; n < 5; n++) await bob.send(roomId, `${n}`);
      for (const late of [carol, dave]) await late.ok('POST', `/join/${encodeURIComponent(roomId)}`, {});
      const others = [await started(carol), await started(dave, true)];
      for (const other of others) await untilIn(await sessionOf(other, roomId), alice.userId);
      expect(JSON.stringify(await atBobs.roomState(roomId))).not.toContain('rtc.member');

      await server.restart('SIGKILL');
      const again = await started(carol);
      await untilIn(await sessionOf(again, roomId), alice.userId);
      expect(failures).toEqual([]);

      // She is gone and says nothing: the server hangs up for her.
      atAlices.stopClient();
      call.stop();
      for (const other of [atBobs, ...others, again]) await untilIn(await sessionOf(other, roomId));
    });
  }),
);
