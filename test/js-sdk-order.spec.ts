import { once } from 'node:events';
import { ClientEvent, Direction, EventType, Preset } from 'matrix-js-sdk';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Homeserver } from './support/homeserver.js';
import { NODE_22 } from './support/node-22.js';
import { NEEDS, SdkDevice } from './support/sdk-device.js';

/** How long a room is that somebody scrolls through. */
const LINES = Number(process.env['SCROLL_BACK'] ?? 10_000);
const ENCRYPTED = 100;
const MESSAGES = 200;

vi.setConfig({ testTimeout: 240_000 + LINES * 60, hookTimeout: 240_000 });

describe.runIf(NODE_22)(`what was sent in an order (${NEEDS})`, () => {
  let server: Homeserver;
  let alice: SdkDevice;
  let bob: SdkDevice;

  beforeAll(async () => {
    server = await Homeserver.start();
    [alice] = await SdkDevice.signUp(server, 'alice', 'phone');
    [bob] = await SdkDevice.signUp(server, 'bob', 'phone');
  });
  afterAll(async () => {
    for (const device of [alice, bob]) await device?.close({ kept: false });
    await server.remove();
  });

  test('comes to a device in it, each message once, also when the server is killed and the device closed', async () => {
    const seen: number[] = [];
    const listen = (): void => {
      bob.client.on(ClientEvent.ToDeviceEvent, (event) => {
        if (event.getType() === 'dev.annals.numbered') seen.push(event.getContent()['number']);
      });
    };
    listen();
    const expected = Array.from({ length: MESSAGES }, (_, number) => number);
    for (const number of expected) {
      await alice.client.queueToDevice({
        eventType: 'dev.annals.numbered',
        batch: [{ userId: bob.userId, deviceId: bob.deviceId, payload: { number } }],
      });
      if (number % 100 === 50) await server.restart('SIGKILL');
      if (number === 80) await bob.close();
      if (number === 120) await bob.open(listen);
    }
    await bob.see('all', () => seen.length >= MESSAGES);
    // What comes twice comes before this.
    const last = once(bob.client, ClientEvent.ToDeviceEvent);
    await alice.client.sendToDevice('dev.annals.last', new Map([[bob.userId, new Map([[bob.deviceId, {}]])]]));
    await last;
    expect(seen).toEqual(expected);
  });

  test(`is read in it by who scrolls back through a room of ${LINES} lines, the last ${ENCRYPTED} of them encrypted`, async () => {
    const { room_id: roomId } = await alice.client.createRoom({
      preset: Preset.TrustedPrivateChat,
      invite: [bob.userId],
    });
    await bob.room(roomId);
    await bob.client.joinRoom(roomId);
    await alice.seesTwoIn(roomId);
    const expected = Array.from({ length: LINES }, (_, i) => `line ${i}`);
    // While nobody hears them: the two clients would take six times as long for a line as the server does.
    for (const device of [alice, bob]) await device.close();
    for (const body of expected.slice(0, -ENCRYPTED)) await alice.http.send(roomId, body);
    for (const device of [alice, bob]) await device.open();
    await alice.client.sendStateEvent(roomId, EventType.RoomEncryption, { algorithm: 'm.megolm.v1.aes-sha2' });
    await alice.see('encryption', () => alice.crypto.isEncryptionEnabledInRoom(roomId));
    for (const body of expected.slice(-ENCRYPTED)) await alice.client.sendTextMessage(roomId, body);
    await bob.hears(roomId, expected.at(-1) ?? '');

    // With nothing of the room but its keys
    await bob.close({ kept: false });
    await bob.open();
    const timeline = (await bob.room(roomId)).getLiveTimeline();
    while (timeline.getPaginationToken(Direction.Backward) !== null)
      await bob.client.paginateEventTimeline(timeline, { backwards: true, limit: 100 });
    await bob.see('all readable', () => timeline.getEvents().every((event) => !event.isBeingDecrypted()));
    const lines = timeline.getEvents().filter((event) => event.getType() === EventType.RoomMessage);
    expect(lines.map((event) => event.getContent()['body'])).toEqual(expected);
    expect(lines.filter((event) => event.isEncrypted())).toHaveLength(ENCRYPTED);
  });
});
