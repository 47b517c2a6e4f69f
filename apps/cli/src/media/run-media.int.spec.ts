import 'reflect-metadata';
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import type { RunningServer } from '#homeserver/server';
import { type RecordedTerminal, recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { startTestServer } from '../../test/test-server.js';
import { CliFailure } from '../failure.js';
import {
  deleteMedia,
  dropUnseenMedia,
  listMedia,
  listQuarantined,
  quarantineMedia,
  releaseMedia,
  showMedia,
} from './run-media.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-media-cli-'));
const installation = testInstallation(folder);
let server: RunningServer;
let token: string;
let terminal: RecordedTerminal;

beforeAll(async () => {
  server = await startTestServer(folder);
  const answer = await fetch(`${server.address}/_matrix/client/v3/register`, {
    method: 'POST',
    body: JSON.stringify({ username: 'alice', password: 'a password', auth: { type: 'm.login.dummy' } }),
  });
  ({ access_token: token } = (await answer.json()) as { access_token: string });
});
beforeEach(() => (terminal = recordedTerminal()));
afterEach(() => terminal);
afterAll(async () => {
  await server.drain();
  rmSync(folder, { recursive: true, force: true });
});

const sha256 = (content: string): string => hash('sha256', content, 'hex');

/** Answers the URI of what was uploaded; undefined where it was refused. */
async function upload(content: string): Promise<string> {
  const answer = await fetch(`${server.address}/_matrix/media/v3/upload?filename=secret%1b%5B31mname`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain' },
    body: content,
  });
  const { content_uri: uri, errcode } = (await answer.json()) as { content_uri?: string; errcode?: string };
  return uri ?? errcode ?? '';
}

async function download(uri: string): Promise<number> {
  const path = `/_matrix/client/v1/media/download/${uri.slice('mxc://'.length)}`;
  const answer = await fetch(`${server.address}${path}`, { headers: { authorization: `Bearer ${token}` } });
  await answer.arrayBuffer();
  return answer.status;
}

/** The hashes of all content on the disk. */
function onDisk(): string[] {
  const path = join(folder, 'media/content');
  if (!existsSync(path)) return [];
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

const factsOf = async (uri: string): Promise<string> => {
  await server.drain();
  const store = await openLmdbEventStore(join(folder, 'log'), { readOnly: true });
  let text = '';
  for await (const fact of store.readStream(`media-${uri.slice('mxc://'.length)}`)) text += JSON.stringify(fact);
  await store.close();
  server = await startTestServer(folder);
  return text;
};

const refusal = (done: Promise<unknown>): Promise<unknown> =>
  done.then(
    () => 'done',
    (error: unknown) => (error instanceof CliFailure ? error.errcode : error),
  );

describe('media, looked after by the operator', () => {
  it('are shown, with others that have the same content', async () => {
    const [first, second] = [await upload('shown'), await upload('shown')];
    await showMedia(installation, terminal, first, { json: false });
    expect(terminal.lines.join('\n')).toContain(`${first}: uploaded by @alice:a.example`);
    expect(terminal.lines.join('\n')).toContain(`content ${sha256('shown')}, text/plain, secret[31mname`);
    expect(terminal.lines.join('\n')).toContain(`${second} has the same content`);
    await showMedia(installation, terminal, first, { json: true });
    expect(JSON.parse(terminal.lines.at(-1)!)).toMatchObject({ media: first, same: [second] });
    expect(await refusal(showMedia(installation, terminal, 'mxc://a.example/unknown', { json: false }))).toBe(
      'M_NOT_FOUND',
    );
    expect(await refusal(showMedia(installation, terminal, 'mxc://a.example/..', { json: false }))).toBe(
      'M_INVALID_PARAM',
    );
  });

  it('are listed, by who uploaded them and how much that is', async () => {
    const uri = await upload('listed');
    await listMedia(installation, terminal, undefined);
    expect(terminal.lines.at(-1)).toMatch(/^@alice:a\.example: \d+ files, \d+ bytes$/);
    await listMedia(installation, terminal, '@alice:a.example');
    expect(terminal.lines.filter((line) => line.startsWith(`${uri}: uploaded by @alice:a.example`))).toHaveLength(1);
    const before = terminal.lines.length;
    for (const nobody of ['@bob:a.example', 'nonsense', '']) await listMedia(installation, terminal, nobody);
    expect(terminal.lines).toHaveLength(before);
  });

  it('are deleted, their content with the last of those that have it, and what was said of them from the log', async () => {
    const [first, second] = [await upload('deleted'), await upload('deleted')];
    expect(onDisk().filter((name) => name === sha256('deleted'))).toHaveLength(1);
    // What was made of it goes with it.
    const hashed = sha256('deleted');
    const made = join(folder, 'media/derived', hashed.slice(0, 2), hashed.slice(2, 4), hashed);
    mkdirSync(made, { recursive: true });
    writeFileSync(join(made, '32x32-crop'), 'small');
    await deleteMedia(installation, terminal, first);
    expect([await download(first), await download(second), existsSync(made)]).toEqual([404, 200, true]);
    await deleteMedia(installation, terminal, second);
    expect(await download(second)).toBe(404);
    await expect.poll(onDisk).not.toContain(hashed);
    expect(existsSync(made)).toBe(false);
    expect(await refusal(deleteMedia(installation, terminal, first))).toBe('M_NOT_FOUND');
    const facts = await factsOf(first);
    expect(facts).toContain('media-deleted');
    expect(facts).not.toContain('31mname');
    // Somebody may bring it again.
    expect(await download(await upload('deleted'))).toBe(200);
  });

  it('are given to nobody while their content is in quarantine, under whatever name, and nobody brings it again', async () => {
    const [first, second] = [await upload('bad'), await upload('bad')];
    await quarantineMedia(installation, terminal, first, 'reported');
    expect([await download(first), await download(second), await upload('bad')]).toEqual([404, 404, 'M_FORBIDDEN']);
    expect(onDisk()).toContain(sha256('bad'));
    await showMedia(installation, terminal, second, { json: false });
    expect(terminal.lines.join('\n')).toMatch(/in quarantine since .*: reported/);
    await listQuarantined(installation, terminal);
    expect(terminal.lines.at(-1)).toMatch(new RegExp(`^content ${sha256('bad')} in quarantine since .*: reported$`));
    await releaseMedia(installation, terminal, sha256('bad'));
    expect([await download(first), await download(second)]).toEqual([200, 200]);
    expect(await refusal(releaseMedia(installation, terminal, first))).toBe('M_NOT_FOUND');
    // Of what nobody has brought yet the hash alone may be known.
    await quarantineMedia(installation, terminal, sha256('worse'), undefined);
    expect(await upload('worse')).toBe('M_FORBIDDEN');
    expect(onDisk()).not.toContain(sha256('worse'));
  });

  it('of other servers go where nobody asks for them', async () => {
    await dropUnseenMedia(installation, terminal, 0);
    expect(terminal.lines.join('\n')).toContain('0 files of other servers went');
  });

  it('are there after a start, and nothing else is: neither what was half received, nor what belongs to no medium', async () => {
    const uri = await upload('stays');
    await server.drain();
    const stray = sha256('stray');
    const place = join(folder, 'media/content', stray.slice(0, 2), stray.slice(2, 4));
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, stray), 'stray');
    mkdirSync(join(folder, 'media/incoming'), { recursive: true });
    writeFileSync(join(folder, 'media/incoming/half'), 'half');
    // Views that are made anew say nothing of what they have not come to.
    rmSync(join(folder, 'views'), { recursive: true });
    server = await startTestServer(folder);
    await expect.poll(onDisk).not.toContain(stray);
    expect(onDisk()).toContain(sha256('stays'));
    expect(readdirSync(join(folder, 'media')).includes('incoming')).toBe(false);
    expect(await download(uri)).toBe(200);
  });
});
