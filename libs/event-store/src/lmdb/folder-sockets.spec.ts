import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { connectIn, listenIn } from './folder-sockets.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'annals-sockets-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

it('lets a writer of any user wait for an opener', async () => {
  const { name, close } = await listenIn(directory, 'opener', () => {});
  expect(statSync(join(directory, name)).mode & 0o222).toBe(0o222);
  await close();
});

it('goes on where connections cannot be taken, however many', async () => {
  const listen = vi.spyOn(Server.prototype, 'listen');
  const { name, close } = await listenIn(directory, 'writer', (socket) => void socket.destroy());
  const server = listen.mock.contexts[0] as Server;
  listen.mockRestore();
  for (let i = 0; i < 3; i++) server.emit('error', new Error('accept EMFILE'));
  expect(await connectIn(directory, name)).toBeDefined();
  await close();
});

it('finds nobody where who listened has ended before the connection was taken', async () => {
  const { name, close } = await listenIn(directory, 'opener', () => {});
  const connecting = connectIn(directory, name);
  await close();
  expect(await connecting).toBeUndefined();
});
