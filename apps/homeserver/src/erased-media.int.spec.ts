import 'reflect-metadata';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WholeServer } from '../test/whole-server.js';

type User = Awaited<ReturnType<WholeServer['register']>>;

let server: WholeServer;
let alice: User;
let bob: User;

beforeEach(async () => {
  server = await WholeServer.start({ ANNALS_FEDERATION: 'off' });
  [alice, bob] = [await server.register('alice'), await server.register('bob')];
});
afterEach(() => server.close());

async function upload(user: User, body: string): Promise<string> {
  const { text } = await server.request('POST', '/_matrix/media/v3/upload', { token: user.token, body });
  return (JSON.parse(text) as { content_uri: string }).content_uri;
}

async function isThere(uri: string): Promise<boolean> {
  const path = `/_matrix/client/v1/media/download/${uri.slice('mxc://'.length)}`;
  return (await server.request('GET', path, { token: bob.token })).status === 200;
}

function files(): number {
  const folder = join(server.folder, 'media/content');
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
}

async function close(erase: boolean): Promise<void> {
  const identifier = { type: 'm.id.user', user: 'alice' };
  const auth = { type: 'm.login.password', identifier, password: 'a password' };
  const body = JSON.stringify({ auth, erase });
  const { status } = await server.request('POST', '/_matrix/client/v3/account/deactivate', {
    token: alice.token,
    body,
  });
  expect(status).toBe(200);
}

describe('what somebody has uploaded', () => {
  it('goes with an account that is closed with erase, and what others have of the same stays', async () => {
    const [own, same, others] = [await upload(alice, 'a'), await upload(alice, 'b'), await upload(bob, 'b')];
    expect(files()).toBe(2);
    await close(true);
    await expect.poll(() => isThere(own)).toBe(false);
    await expect.poll(() => isThere(same)).toBe(false);
    expect(await isThere(others)).toBe(true);
    await expect.poll(files).toBe(1);
  });

  it('stays where nobody asked for that', async () => {
    const own = await upload(alice, 'a');
    await close(false);
    expect(await isThere(own)).toBe(true);
  });
});
