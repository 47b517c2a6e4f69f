import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import type { RoomMessageEventContent } from 'matrix-js-sdk/lib/types.js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Homeserver } from './support/homeserver.js';
import { NODE_22 } from './support/node-22.js';
import { NEEDS, SdkDevice } from './support/sdk-device.js';

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

describe.runIf(NODE_22)(`two people with three devices each (${NEEDS})`, () => {
  let server: Homeserver;
  let alice: readonly [SdkDevice, SdkDevice, SdkDevice];
  let bob: readonly [SdkDevice, SdkDevice, SdkDevice];
  let roomId: string;
  const everybody = (): SdkDevice[] => [...(alice ?? []), ...(bob ?? [])];

  beforeAll(async () => {
    server = await Homeserver.start();
    alice = await SdkDevice.signUp(server, 'alice', 'phone', 'laptop', 'tablet');
    bob = await SdkDevice.signUp(server, 'bob', 'phone', 'laptop', 'tablet');
    roomId = await alice[0].encryptedRoomWith(bob[0]);
    for (const device of everybody()) await device.seesTwoIn(roomId);
  });
  afterAll(async () => {
    for (const device of everybody()) await device.close({ kept: false });
    await server.remove();
  });

  async function speaks(speaker: SdkDevice, when: string): Promise<string> {
    const body = `${speaker.userId} on ${speaker.deviceId}, ${when}`;
    await speaker.client.sendTextMessage(roomId, body);
    return body;
  }
  async function isHeardByAll(body: string): Promise<void> {
    for (const listener of everybody()) expect((await listener.hears(roomId, body)).isEncrypted()).toBe(true);
  }
  async function eachIsHeardByAll(when: string): Promise<void> {
    for (const speaker of everybody()) await isHeardByAll(await speaks(speaker, when));
  }

  test('read what each of them writes, live', async () => {
    await eachIsHeardByAll('live');
  });

  // Client-server API, "Sending encrypted attachments".
  test('send each other files of which the server has nothing but what is encrypted', async () => {
    const file = randomBytes(300_000);
    const [key, iv] = [randomBytes(32), Buffer.concat([randomBytes(8), Buffer.alloc(8)])];
    const cipher = createCipheriv('aes-256-ctr', key, iv);
    const encrypted = Buffer.concat([cipher.update(file), cipher.final()]);
    const { content_uri: url } = await alice[0].client.uploadContent(new Blob([new Uint8Array(encrypted)]), {
      type: 'application/octet-stream',
      includeFilename: false,
    });
    const jwk = {
      kty: 'oct',
      alg: 'A256CTR',
      ext: true,
      key_ops: ['encrypt', 'decrypt'],
      k: key.toString('base64url'),
    };
    const hashes = { sha256: unpadded(createHash('sha256').update(encrypted).digest()) };
    const shown = { url, key: jwk, iv: unpadded(iv), hashes, v: 'v2' };
    const content = { msgtype: 'm.file', body: 'a secret file', file: shown } as unknown as RoomMessageEventContent;
    await alice[0].client.sendMessage(roomId, content);
    for (const listener of everybody()) {
      const event = await listener.hears(roomId, 'a secret file');
      const { file: told } = event.getContent<{ file: typeof shown }>();
      const { client } = listener;
      const address = client.mxcUrlToHttp(told.url, undefined, undefined, undefined, false, true, true)!;
      const answer = await fetch(address, { headers: { authorization: `Bearer ${client.getAccessToken()}` } });
      const received = Buffer.from(await answer.arrayBuffer());
      expect(unpadded(createHash('sha256').update(received).digest())).toBe(told.hashes.sha256);
      const decipher = createDecipheriv(
        'aes-256-ctr',
        Buffer.from(told.key.k, 'base64url'),
        Buffer.from(told.iv, 'base64'),
      );
      expect(Buffer.concat([decipher.update(received), decipher.final()]).equals(file)).toBe(true);
    }
  });

  test('go on when the server comes back, and when it was killed', async () => {
    await server.restart();
    await eachIsHeardByAll('after a restart');
    await server.restart('SIGKILL');
    await eachIsHeardByAll('after a kill');
  });

  test('go on after a restart of server and clients, with what came while they were away', async () => {
    for (const device of everybody()) await device.close();
    await server.restart();
    await alice[0].open();
    const alone = await speaks(alice[0], 'alone');
    await alice[0].close();
    for (const device of everybody()) await device.open();
    await isHeardByAll(alone);
    await eachIsHeardByAll('all back');
  });

  test('read what was sent since they last wrote down where they are', async () => {
    // A client that dies has its keys, and of rooms only what it wrote down a while ago.
    await bob[1].close();
    await bob[1].open();
    const bodies: string[] = [];
    for (const speaker of alice) bodies.push(await speaks(speaker, 'before the end'));
    for (const body of bodies) await bob[1].hears(roomId, body);
    await bob[1].close({ kept: false });
    await bob[1].open();
    for (const body of bodies) await bob[1].hears(roomId, body);
  });
});
