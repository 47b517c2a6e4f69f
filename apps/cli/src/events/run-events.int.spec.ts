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
import { redactEvent } from './run-events.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-events-cli-'));
const installation = testInstallation(folder);
let server: RunningServer;
let ask: Ask;
let terminal: RecordedTerminal;

beforeAll(async () => {
  server = await startTestServer(folder);
  ask = await registerAlice(server);
});
beforeEach(() => (terminal = recordedTerminal()));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

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
