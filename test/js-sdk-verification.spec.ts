import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Homeserver } from './support/homeserver.js';
import { NODE_22 } from './support/node-22.js';
import { NEEDS, SdkDevice } from './support/sdk-device.js';
import { verifyByEmoji } from './support/verify-by-emoji.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

describe.runIf(NODE_22)(`people who verify each other and their devices (${NEEDS})`, () => {
  let server: Homeserver;
  let phone: SdkDevice;
  let laptop: SdkDevice;
  let tablet: SdkDevice;
  let bob: SdkDevice;
  let bobsLaptop: SdkDevice;
  let roomId: string;
  const written: string[] = [];

  beforeAll(async () => {
    server = await Homeserver.start();
    [phone] = await SdkDevice.signUp(server, 'alice', 'phone');
    [bob, bobsLaptop] = await SdkDevice.signUp(server, 'bob', 'phone', 'laptop');
    roomId = await phone.encryptedRoomWith(bob);
    for (const device of [phone, bob, bobsLaptop]) await device.seesTwoIn(roomId);
  });
  afterAll(async () => {
    for (const device of [phone, laptop, tablet, bob, bobsLaptop]) await device?.close({ kept: false });
    await server.remove();
  });

  async function write(device: SdkDevice): Promise<string> {
    const body = `line ${written.length}`;
    await device.client.sendTextMessage(roomId, body);
    written.push(body);
    return body;
  }

  test('make cross-signing keys, secret storage and a backup without being asked for the password', async () => {
    await phone.setUpRecovery();
    await bob.setUpRecovery();
    for (const device of [phone, bob]) {
      expect(await device.crypto.isCrossSigningReady()).toBe(true);
      expect(await device.crypto.isSecretStorageReady()).toBe(true);
      expect(await device.crypto.getActiveSessionBackupVersion()).toBe('1');
      expect(await device.trusts(device)).toBe(true);
    }
    for (let i = 0; i < 3; i++) await bob.hears(roomId, await write(phone));
  });

  test('verify a new device by emoji, which then has the secrets of the first', async () => {
    await phone.backsUp();
    laptop = await SdkDevice.logIn(server, 'alice', 'laptop');
    expect(await laptop.trusts(laptop)).toBe(false);
    const shown = phone.nextRequest();
    const request = await laptop.crypto.requestOwnUserVerification();
    await verifyByEmoji(request, await shown);
    await laptop.see('itself verified', () => laptop.trusts(laptop));
    await phone.see('the laptop verified', () => phone.trusts(laptop));
    await laptop.see('the secrets', async () => {
      const { privateKeysCachedLocally: has } = await laptop.crypto.getCrossSigningStatus();
      return has.masterKey && has.selfSigningKey && has.userSigningKey;
    });
    await laptop.see('the key of the backup', () => laptop.crypto.getSessionBackupPrivateKey());
    await laptop.see('the backup', () => laptop.crypto.getActiveSessionBackupVersion());
    await laptop.crypto.restoreKeyBackup();
    for (const body of written) await laptop.hears(roomId, body);
  });

  test('verify each other by emoji in their room', async () => {
    const shown = bob.nextRequest();
    const request = await phone.crypto.requestVerificationDM(bob.userId, roomId);
    await verifyByEmoji(request, await shown);
    for (const device of [phone, laptop])
      await device.see('bob verified', async () =>
        (await device.crypto.getUserVerificationStatus(bob.userId)).isCrossSigningVerified(),
      );
    await bob.see('alice verified', async () =>
      (await bob.crypto.getUserVerificationStatus(phone.userId)).isCrossSigningVerified(),
    );
    // Whom one has verified, has devices that one trusts: those that they have verified themselves.
    await bob.see("alice's laptop verified", () => bob.trusts(laptop));
    await laptop.see("bob's phone verified", () => laptop.trusts(bob));
    expect(await laptop.trusts(bobsLaptop)).toBe(false);
  });

  test('verify a new device by the recovery key, and read there what was written before', async () => {
    await phone.backsUp();
    await phone.close();
    await laptop.close();
    await server.restart();
    tablet = await SdkDevice.logIn(server, 'alice', 'tablet');
    await tablet.room(roomId);
    tablet.recoveryKey = phone.recoveryKey;
    await tablet.crypto.bootstrapCrossSigning({});
    await tablet.see('itself verified', () => tablet.trusts(tablet));
    await tablet.crypto.loadSessionBackupPrivateKeyFromSecretStorage();
    await tablet.crypto.checkKeyBackupAndEnable();
    const { total, imported } = await tablet.crypto.restoreKeyBackup();
    expect(imported).toBe(total);
    expect(total).toBeGreaterThan(0);
    for (const body of written) await tablet.hears(roomId, body);
    await bob.see("alice's tablet verified", () => bob.trusts(tablet));
    await phone.open();
    await laptop.open();
    for (const device of [phone, laptop]) await device.see('the tablet verified', () => device.trusts(tablet));
  });

  test('trust a removed device no more, nor encrypt to it', async () => {
    await tablet.hears(roomId, await write(bob));
    const before = await bob.hears(roomId, await write(bob));
    await laptop.remove(tablet);
    for (const device of [bob, phone]) await device.see('the tablet gone', async () => !(await device.knows(tablet)));
    expect(await bob.trusts(tablet)).toBe(false);

    bob.sentTo.length = 0;
    const after = await bob.hears(roomId, await write(bob));
    expect(after.getWireContent()['session_id']).not.toBe(before.getWireContent()['session_id']);
    const receivers = new Set(bob.sentTo.map(({ deviceId }) => deviceId));
    expect(receivers).toEqual(new Set([phone.deviceId, laptop.deviceId, bobsLaptop.deviceId]));
    for (const device of [phone, laptop, bobsLaptop]) await device.hears(roomId, written.at(-1) ?? '');
    await expect(tablet.client.whoami()).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
  });
});
