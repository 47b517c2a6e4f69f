import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { type RunningServer, startServer } from '#homeserver/server';
import { openLog } from '#observability/logger';
import { type RecordedTerminal, recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import { redactEvent } from './run-events.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-events-cli-'));
const installation = testInstallation(folder);
let server: RunningServer;
let token: string;
let terminal: RecordedTerminal;

beforeAll(async () => {
  const config = loadConfig({
    ANNALS_SERVER_NAME: 'a.example',
    ANNALS_LISTEN: '127.0.0.1:0',
    ANNALS_DATA_DIR: folder,
    ANNALS_REGISTRATION: 'open',
    ANNALS_FEDERATION: 'off',
    ANNALS_RATE_LIMITS: 'off',
    ANNALS_LOG: 'silent',
  });
  server = await startServer(config, await openLog(config.log), () => {});
  const account = { username: 'alice', password: 'a password', auth: { type: 'm.login.dummy' } };
  token = (await ask<{ access_token: string }>('POST', '/register', account)).access_token;
});
beforeEach(() => (terminal = recordedTerminal()));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(`${server.address}/_matrix/client/v3${path}`, {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: body && JSON.stringify(body),
  });
  return (await answer.json()) as T;
}

describe('annals events redact', () => {
  it('redacts an event in its room, once, and says in whose name', async () => {
    const { room_id: room } = await ask<{ room_id: string }>('POST', '/createRoom', {});
    const path = `/rooms/${encodeURIComponent(room)}`;
    const content = { msgtype: 'm.text', body: 'unkind' };
    const { event_id: event } = await ask<{ event_id: string }>('PUT', `${path}/send/m.room.message/1`, content);
    const target = { room, event, reason: 'unlawful' };
    expect(await redactEvent(installation, terminal, target)).toBe(EXIT.ok);
    expect(terminal.lines.at(-1)).toBe(`${event} is redacted in its room, in the name of @alice:a.example`);
    const read = await ask<Record<'content' | 'unsigned', object>>('GET', `${path}/event/${encodeURIComponent(event)}`);
    expect(read).toMatchObject({ content: {}, unsigned: { redacted_because: { content: { reason: 'unlawful' } } } });
    await redactEvent(installation, terminal, target);
    expect(terminal.lines.at(-1)).toBe(`${event} was redacted before; nothing was changed`);
    for (const wrong of [{ event: '$nothing' }, { event: 'x' }, { room: '!elsewhere:b.example' }, { room: 'x' }])
      await expect(redactEvent(installation, terminal, { ...target, ...wrong })).rejects.toMatchObject({
        exitCode: EXIT.found,
      });
  });

  it('needs the server, which alone writes to rooms', async () => {
    await server.drain();
    const target = { room: '!r:a.example', event: '$e', reason: undefined };
    await expect(redactEvent(installation, terminal, target)).rejects.toMatchObject({ exitCode: EXIT.failed });
  });
});
