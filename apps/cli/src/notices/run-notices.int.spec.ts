import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunningServer } from '#homeserver/server';
import { type RecordedTerminal, recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { type Ask, registerAlice, startTestServer } from '../../test/test-server.js';
import { EXIT } from '../failure.js';
import { tellUsers } from './run-notices.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-notices-cli-'));
const installation = testInstallation(folder);
let server: RunningServer;
let ask: Ask;
let terminal: RecordedTerminal;

beforeAll(async () => {
  server = await startTestServer(folder, {
    ANNALS_NOTICES_USER: 'notices',
    ANNALS_SUPPORT_EMAIL: 'root@a.example',
  });
  ask = await registerAlice(server);
});
beforeEach(() => (terminal = recordedTerminal()));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Rooms {
  readonly invite: Readonly<Record<string, unknown>>;
  readonly join: Readonly<
    Record<string, { timeline: { events: { type: string; content: Record<string, unknown> }[] } }>
  >;
}
const roomsNow = async (): Promise<Rooms> => (await ask<{ rooms: Rooms }>('GET', '/sync')).rooms;

describe('annals notices', () => {
  it('tells one user, or all, in one room of each', async () => {
    expect(
      await tellUsers(installation, terminal, { user: 'alice', all: false }, { kind: 'send', text: 'hello' }),
    ).toBe(EXIT.ok);
    expect(terminal.lines.at(-1)).toBe('1 user told');
    const [room] = Object.keys((await roomsNow()).invite) as [string];
    await ask('POST', `/join/${encodeURIComponent(room)}`, {});
    await tellUsers(installation, terminal, { user: undefined, all: true }, { kind: 'send', text: 'good night' });
    expect(terminal.lines.at(-1)).toBe('1 user told');
    const { events } = (await roomsNow()).join[room]!.timeline;
    expect(events.at(-1)).toMatchObject({ content: { msgtype: 'm.text', body: 'good night' } });
  });

  it('has clients show that a limit is reached until it is lifted', async () => {
    const to = { user: '@alice:a.example', all: false };
    await tellUsers(installation, terminal, to, { kind: 'limit', text: 'full' });
    const [room] = Object.keys((await roomsNow()).join) as [string];
    const path = `/rooms/${encodeURIComponent(room)}`;
    const pinned = (): Promise<{ pinned: string[] }> => ask('GET', `${path}/state/m.room.pinned_events`);
    const [event] = (await pinned()).pinned;
    const { content } = await ask<{ content: object }>('GET', `${path}/event/${encodeURIComponent(event!)}`);
    expect(content).toEqual({
      msgtype: 'm.server_notice',
      server_notice_type: 'm.server_notice.usage_limit_reached',
      limit_type: 'monthly_active_user',
      admin_contact: 'mailto:root@a.example',
      body: 'full',
    });
    await tellUsers(installation, terminal, to, { kind: 'lift' });
    expect(await pinned()).toEqual({ pinned: [] });
  });

  it('refuses whom it does not know, and nobody or everybody and one', async () => {
    const hello = { kind: 'send', text: 'hello' } as const;
    for (const user of ['nobody', '@alice:b.example'])
      await expect(tellUsers(installation, terminal, { user, all: false }, hello)).rejects.toMatchObject({
        exitCode: EXIT.found,
      });
    for (const to of [
      { user: undefined, all: false },
      { user: 'alice', all: true },
    ])
      await expect(tellUsers(installation, terminal, to, hello)).rejects.toMatchObject({ exitCode: EXIT.failed });
    await server.drain();
    const alone = tellUsers(installation, terminal, { user: 'alice', all: false }, hello);
    await expect(alone).rejects.toMatchObject({ exitCode: EXIT.failed });
  });
});
