import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventId } from '#kernel/ids';
import type { AuditEntry } from '#rooms/audit/audit-room';
import { BOB, LocalRoom } from '#testing/local-room';
import { DataFolder } from '#testing/data-folder';
import { recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import { writePage } from './html/write-page.js';
import { runAudit, type RunAuditOptions } from './run-audit.js';

const EVIL = '</script><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\u0007';

const folder = new DataFolder();
const pages = mkdtempSync(join(tmpdir(), 'annals-pages-'));
let room: LocalRoom;

beforeAll(async () => {
  await folder.fill();
  room = await folder.write(async (store) => {
    const made = await LocalRoom.begin(store, '11', 'evil');
    await made.setState('m.room.join_rules', { join_rule: 'public' });
    await made.setState('m.room.topic', { topic: 'first' });
    await made.setMembership(BOB, 'join');
    await made.say('what bob said', BOB);
    await made.setState('m.room.name', { name: EVIL });
    await made.say(EVIL);
    return made;
  });
});
afterAll(() => {
  folder.remove();
  rmSync(pages, { recursive: true });
});

async function page(name: string, options: Partial<RunAuditOptions> = {}): Promise<string> {
  const html = join(pages, name);
  const terminal = recordedTerminal();
  const wanted = { room: room.roomId, json: false, html, ...options };
  expect(await runAudit(testInstallation(folder.path), terminal, wanted)).toBe(EXIT.ok);
  expect(terminal.lines).toEqual([
    `${html}: Verified: the chain, hashes, signatures, authorisation and state of all 8 facts hold.`,
  ]);
  return readFileSync(html, 'utf8');
}

/** What the page's script reads. */
function dataOf(text: string): {
  entries: { what: string; who: number; effect: unknown[][] }[];
  actors: string[];
  kinds: string[];
} {
  const [, json = ''] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(text) ?? [];
  return JSON.parse(json) as ReturnType<typeof dataOf>;
}

describe('the page of an audit', () => {
  test('holds every entry, and the verdict', async () => {
    const text = await page('whole.html');
    const { entries, actors } = dataOf(text);
    expect(entries).toHaveLength(8);
    expect(entries[3]).toMatchObject({
      what: 'set the topic to "first"',
      effect: [['m.room.topic', '', expect.any(String), { topic: 'first' }]],
    });
    expect(actors[entries[4]!.who]).toBe('bob');
    expect(text).toContain('class="good">Verified');
    expect(text).not.toContain('what bob said');
    expect(await page('messages.html', { messages: true })).toContain('what bob said');
  });

  test('has the content of what came otherwise than by the event of an entry, and says what kind of entry that is', async () => {
    const verified = { facts: 1, problems: new Map(), unverifiable: 0 };
    const head = { room: '!r:a.example', server: 'a.example', madeAt: 0, verified, messages: false, refused: [] };
    const change = { type: 'm.room.topic', state_key: '', event_id: '$old' as EventId, content: { topic: 'old' } };
    const entry = {
      revision: 0,
      position: '',
      at: 0,
      actor: 'a',
      who: 'a',
      what: 'sent a message',
      chain: '',
      effect: [change],
    };
    async function* entries(): AsyncGenerator<AuditEntry> {
      yield { ...entry, fact: 'pdu-accepted', type: 'm.room.message' };
      yield { ...entry, fact: 'pdu-rejected' };
      yield { ...entry, fact: 'outlier-stored' };
    }
    let text = '';
    for await (const piece of writePage(head, entries())) text += piece;
    expect(dataOf(text).entries[0]!.effect).toEqual([['m.room.topic', '', '$old', { topic: 'old' }]]);
    expect(dataOf(text).kinds).toEqual(['messages', 'refused events', 'told by other servers']);
  });

  test('lets nothing of what people chose be more than text, and loads nothing', async () => {
    const text = await page('evil.html', { messages: true });
    expect(text).not.toContain('<img');
    expect(text.match(/<script/g)).toHaveLength(2);
    expect(text.match(/<\/script>/g)).toHaveLength(2);
    expect(text.replace(/<script type=.*?<\/script>/s, '')).not.toMatch(/(src|href)=/);
    expect(text).toMatch(
      /Content-Security-Policy" content="default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'"/,
    );
    expect(JSON.stringify(dataOf(text).entries)).toContain('</script>');
  });

  test('is for its owner alone, and takes the place of no other file unless told to', async () => {
    await page('mine.html');
    const path = join(pages, 'mine.html');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    writeFileSync(path, 'precious');
    const again = runAudit(testInstallation(folder.path), recordedTerminal(), {
      room: room.roomId,
      json: false,
      html: path,
    });
    await expect(again).rejects.toMatchObject({
      message: expect.stringContaining('is there already'),
      exitCode: EXIT.failed,
    });
    expect(readFileSync(path, 'utf8')).toBe('precious');
    expect(await page('mine.html', { force: true })).toContain('<!doctype html>');
  });

  test('leaves nothing behind where it cannot be written', async () => {
    const nowhere = join(pages, 'nowhere', 'page.html');
    const failing = runAudit(testInstallation(folder.path), recordedTerminal(), {
      room: room.roomId,
      json: false,
      html: nowhere,
    });
    await expect(failing).rejects.toMatchObject({ message: expect.stringContaining('cannot be written') });
    const unknown = join(pages, 'unknown.html');
    const missing = { room: '!nowhere:a.example', json: false, html: unknown };
    await expect(runAudit(testInstallation(folder.path), recordedTerminal(), missing)).rejects.toMatchObject({
      exitCode: EXIT.found,
    });
    expect(existsSync(unknown)).toBe(false);
  });
});
