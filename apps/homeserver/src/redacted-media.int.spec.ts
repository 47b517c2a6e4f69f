import 'reflect-metadata';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WholeServer } from '../test/whole-server.js';

type User = Awaited<ReturnType<WholeServer['register']>>;

const servers: WholeServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** Two users who share a room, on a server that frees media at once when their event was redacted; how long that may take: `libs/media/test`. */
async function start() {
  const server = await WholeServer.start({ ANNALS_FEDERATION: 'off', ANNALS_MEDIA_FREE_REDACTED: '0' });
  servers.push(server);
  const [alice, bob] = [await server.register('alice'), await server.register('bob')];
  const ask = async (user: User, method: string, path: string, body: object = {}): Promise<Record<string, string>> => {
    const { status, text } = await server.request(method, `/_matrix/client/v3${path}`, {
      token: user.token,
      body: JSON.stringify(body),
    });
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`);
    return JSON.parse(text) as Record<string, string>;
  };
  const room = (await ask(alice, 'POST', '/createRoom', { preset: 'public_chat' }))['room_id']!;
  await ask(bob, 'POST', `/rooms/${room}/join`);
  let count = 0;
  return {
    server,
    alice,
    bob,
    ask,
    room,
    upload: async (user: User, body: string): Promise<string> => {
      const { text } = await server.request('POST', '/_matrix/media/v3/upload', { token: user.token, body });
      return (JSON.parse(text) as { content_uri: string }).content_uri;
    },
    /** Answers the id of the event. */
    send: async (user: User, content: object): Promise<string> =>
      (await ask(user, 'PUT', `/rooms/${room}/send/m.room.message/${++count}`, content))['event_id']!,
    redact: (user: User, event: string) => ask(user, 'PUT', `/rooms/${room}/redact/${event}/${++count}`),
    isThere: async (uri: string): Promise<boolean> => {
      const path = `/_matrix/client/v1/media/download/${uri.slice('mxc://'.length)}`;
      return (await server.request('GET', path, { token: bob.token })).status === 200;
    },
    files: (): number => {
      const folder = join(server.folder, 'media/content');
      if (!existsSync(folder)) return 0;
      return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
    },
  };
}

const image = (url: string, thumbnail?: string): object => ({
  msgtype: 'm.image',
  body: 'a rock',
  url,
  info: thumbnail === undefined ? {} : { thumbnail_url: thumbnail },
});

describe('what users have uploaded, once the event that shows it is redacted', () => {
  it('goes, with its content, whoever redacted it; and all that the event showed', async () => {
    const { alice, bob, upload, send, redact, isThere, files } = await start();
    const [url, thumbnail, other] = [await upload(bob, 'a'), await upload(bob, 'b'), await upload(bob, 'c')];
    const event = await send(bob, image(url, thumbnail));
    await redact(alice, event);
    await expect.poll(() => isThere(url)).toBe(false);
    await expect.poll(() => isThere(thumbnail)).toBe(false);
    expect(await isThere(other)).toBe(true);
    await expect.poll(files).toBe(1);
  });

  it('stays while another event shows it, the profile, or the private data of who uploaded it; and goes after the last', async () => {
    const { alice, bob, ask, upload, send, redact, isThere } = await start();
    const [twice, avatar, emote, marker] = [
      await upload(bob, 'a'),
      await upload(bob, 'b'),
      await upload(bob, 'c'),
      await upload(bob, 'd'),
    ];
    await ask(bob, 'PUT', `/profile/${bob.userId}/avatar_url`, { avatar_url: avatar });
    await ask(bob, 'PUT', `/user/${bob.userId}/account_data/im.ponies.user_emotes`, {
      images: { rock: { url: emote } },
    });
    const second = await send(alice, { msgtype: 'm.text', body: 'x', formatted_body: `<img src="${twice}">` });
    for (const uri of [twice, avatar, emote, marker]) await redact(bob, await send(bob, image(uri)));
    // They are looked at in the order of their redactions.
    await expect.poll(() => isThere(marker)).toBe(false);
    expect(await Promise.all([twice, avatar, emote].map(isThere))).toEqual([true, true, true]);
    const again = await send(bob, image(twice));
    await redact(alice, second);
    await redact(bob, again);
    await expect.poll(() => isThere(twice)).toBe(false);
  });

  it('stays where the event was of somebody else', async () => {
    const now = await start();
    const [theirs, marker] = [await now.upload(now.bob, 'a'), await now.upload(now.alice, 'b')];
    await now.redact(now.alice, await now.send(now.alice, image(theirs)));
    await now.redact(now.alice, await now.send(now.alice, image(marker)));
    await expect.poll(() => now.isThere(marker)).toBe(false);
    expect(await now.isThere(theirs)).toBe(true);
  });
});
