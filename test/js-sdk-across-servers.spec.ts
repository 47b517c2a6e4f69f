import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { DENDRITE, startDendrite } from './support/federation/dendrite.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import type { Federating } from './support/federation/other-server.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';
import { NODE_22 } from './support/node-22.js';
import { NEEDS, SdkDevice } from './support/sdk-device.js';
import { verifyByEmoji } from './support/verify-by-emoji.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

interface Make {
  readonly name: string;
  readonly isThere: boolean;
  /** A version of rooms that it knows. */
  readonly version: string;
  start(authority: TestAuthority): Promise<Federating>;
}

const MAKES: readonly Make[] = [
  { name: 'Annals', version: '12', isThere: true, start: (authority) => FederatingAnnals.begin(authority) },
  { name: 'Synapse', version: '12', isThere: SYNAPSE !== undefined, start: startSynapse },
  { name: 'Dendrite', version: '10', isThere: DENDRITE !== undefined, start: startDendrite },
];

for (const make of MAKES) {
  describe.runIf(NODE_22 && make.isThere)(`people at Annals and at ${make.name} who encrypt (${NEEDS})`, () => {
    let ours: Federating;
    let theirs: Federating;
    let alice: SdkDevice;
    let bob: SdkDevice;
    let bobsLaptop: SdkDevice;
    let roomId: string;
    let lines = 0;
    const everybody = (): SdkDevice[] => [alice, bob, bobsLaptop].filter((device) => device !== undefined);

    beforeAll(async () => {
      const authority = new TestAuthority();
      ours = await FederatingAnnals.begin(authority);
      theirs = await make.start(authority);
      [alice] = await SdkDevice.signUp(ours, 'alice', 'phone');
      [bob] = await SdkDevice.signUp(theirs, 'bob', 'phone');
      roomId = await alice.encryptedRoomWith(bob, make.version);
      for (const device of everybody()) await device.seesTwoIn(roomId);
    });
    afterAll(async () => {
      for (const device of everybody()) await device.close({ kept: false });
      await ours?.remove();
      await theirs?.remove();
    });

    async function isReadByAll(speaker: SdkDevice): Promise<string> {
      const body = `line ${lines++} of ${speaker.userId}`;
      const { event_id: eventId } = await speaker.client.sendTextMessage(roomId, body);
      for (const device of everybody()) expect((await device.hears(roomId, body)).isEncrypted()).toBe(true);
      return eventId;
    }

    test('read each other', async () => {
      for (let i = 0; i < 3; i++) for (const device of everybody()) await isReadByAll(device);
    });

    test('write to a device that comes while they are there, and read what it writes', async () => {
      bobsLaptop = await SdkDevice.logIn(theirs, 'bob', 'laptop');
      await alice.see("bob's laptop", () => alice.knows(bobsLaptop));
      for (const device of everybody()) await isReadByAll(device);
    });

    test('read what was written while their servers were cut off from each other', async () => {
      ours.line.cut();
      theirs.line.cut();
      const bodies: string[] = [];
      for (const speaker of [alice, bob]) {
        for (let i = 0; i < 3; i++) {
          bodies.push(`alone ${i} of ${speaker.userId}`);
          await speaker.client.sendTextMessage(roomId, bodies.at(-1)!);
        }
      }
      ours.line.mend();
      theirs.line.mend();
      for (const device of [alice, bob]) await isReadByAll(device);
      for (const body of bodies) for (const device of everybody()) await device.hears(roomId, body);
    });

    test('see no more of a message that was redacted', async () => {
      const eventId = await isReadByAll(bob);
      await bob.client.redactEvent(roomId, eventId);
      await alice.see('a redacted message', () => alice.client.getRoom(roomId)?.findEventById(eventId)?.isRedacted());
    });

    test('verify each other by emoji', async () => {
      await alice.setUpRecovery();
      await bob.setUpRecovery({ mayAskForPassword: true });
      const shown = bob.nextRequest();
      const request = await alice.crypto.requestVerificationDM(bob.userId, roomId);
      await verifyByEmoji(request, await shown);
      await alice.see('bob verified', () => alice.trusts(bob));
      await bob.see('alice verified', () => bob.trusts(alice));
      expect(await alice.trusts(bobsLaptop)).toBe(false);
    });

    test('verify a new device at one server, and it is trusted at the other', async () => {
      const shown = bob.nextRequest();
      const request = await bobsLaptop.crypto.requestOwnUserVerification();
      await verifyByEmoji(request, await shown);
      await alice.see("bob's laptop verified", () => alice.trusts(bobsLaptop));
      await bobsLaptop.see('alice verified', () => bobsLaptop.trusts(alice));
    });

    test('write no more to a device that was removed', async () => {
      await bob.remove(bobsLaptop);
      await alice.see('the laptop gone', async () => !(await alice.knows(bobsLaptop)));
      await bobsLaptop.close({ kept: false });
      alice.sentTo.length = 0;
      const body = 'not for the laptop';
      await alice.client.sendTextMessage(roomId, body);
      await bob.hears(roomId, body);
      expect(new Set(alice.sentTo.map(({ deviceId }) => deviceId))).toEqual(new Set([bob.deviceId]));
    });
  });
}
