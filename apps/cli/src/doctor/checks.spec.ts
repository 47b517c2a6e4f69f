import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { ServerName } from '#kernel/ids';
import type { Distance } from '#event-store/event-store';
import { positionOf } from '#testing/position-of';
import type { ProjectionStatus } from '#projections/projection-status';
import type { NamedKey } from '#event-store/log-identity';
import { encodeBase64 } from '#protocol/signing/base64';
import { encodeSigningKey, generateSigningKey } from '#protocol/signing/signing-key';
import { readKeyFiles } from '../verify/own-keys.js';
import { checkLine, warn } from './check.js';
import { checkSigningKeys } from './key-checks.js';
import { checkClock, checkDataFolder, checkNode, checkPrivate, judgeDiskSpace, judgeLimits } from './machine-checks.js';
import { checkCertificate, checkOpenness, checkPublicUrl, checkServerName } from './settings-checks.js';
import { judgeProjections } from './views-checks.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-doctor-'));
afterAll(() => rmSync(folder, { recursive: true }));

const levels = (checks: readonly { readonly level: string }[]): string[] => checks.map(({ level }) => level);

describe('of the machine', () => {
  test('Node must be young enough, and of 64 bits', () => {
    expect(checkNode('20.19.0', 'x64').level).toBe('ok');
    expect(checkNode('24.1.0', 'arm64').level).toBe('ok');
    expect(checkNode('20.18.9', 'x64').level).toBe('fail');
    expect(checkNode('18.20.0', 'x64').level).toBe('fail');
    expect(checkNode('22.0.0', 'arm').level).toBe('fail');
  });

  test('there must be room on the disk', () => {
    expect([50 * 1024 ** 3, 500 * 1024 ** 2, 1024].map((free) => judgeDiskSpace(free).level)).toEqual([
      'ok',
      'warn',
      'fail',
    ]);
  });

  test('a clock before this program, or before the log, is wrong, and one of which the log knows nothing is doubted', () => {
    const now = Date.UTC(2027, 1, 1);
    expect(checkClock(now, undefined).level).toBe('ok');
    expect(checkClock(now, now - 1000).level).toBe('ok');
    expect(checkClock(now, now + 3_600_000)).toMatchObject({
      level: 'fail',
      text: expect.stringContaining('last fact'),
    });
    expect(checkClock(0, undefined).level).toBe('fail');
    expect(checkClock(now, now, now).level).toBe('ok');
    expect(checkClock(now, now, now + 1)).toMatchObject({
      level: 'warn',
      text: expect.stringContaining('until 2027-02-01'),
    });
  });

  test('limits of memory and files are told', () => {
    const limits = (memory: string, files: string): string =>
      `Limit   Soft Limit  Hard Limit  Units\nMax open files            ${files}   524288   files\nMax address space         ${memory}   unlimited   bytes\n`;
    expect(levels(judgeLimits(limits('unlimited', '20000')))).toEqual(['ok', 'ok']);
    expect(levels(judgeLimits(limits('4294967296', '1024')))).toEqual(['warn', 'warn']);
    expect(judgeLimits('')).toEqual([]);
  });

  test('a data folder is a folder, and for nobody else to look into', () => {
    expect(checkDataFolder(folder).level).toBe('ok');
    expect(checkDataFolder(join(folder, 'none')).level).toBe('warn');
    writeFileSync(join(folder, 'file'), '');
    expect(checkDataFolder(join(folder, 'file')).level).toBe('fail');
    chmodSync(folder, 0o700);
    expect(checkPrivate('data folder', folder)).toEqual([]);
    chmodSync(folder, 0o755);
    expect(checkPrivate('data folder', folder)).toMatchObject([{ level: 'warn', advice: `chmod -R go= ${folder}` }]);
    chmodSync(folder, 0o700);
  });
});

describe('of the keys', () => {
  test('one must be there once something was signed, be whole, and be private', () => {
    const keys = join(folder, 'keys');
    expect(levels(checkSigningKeys(readKeyFiles(folder), true))).toEqual(['ok']);
    expect(levels(checkSigningKeys(readKeyFiles(folder), false))).toEqual(['fail']);
    rmSync(keys, { recursive: true, force: true });
    const data = mkdtempSync(join(folder, 'data-'));
    const path = join(data, 'keys');
    const write = (name: string, text: string, mode: number): void => {
      rmSync(join(path, name), { force: true });
      writeFileSync(join(path, name), text, { mode });
    };
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
    write('signing.key', encodeSigningKey(generateSigningKey()), 0o600);
    expect(levels(checkSigningKeys(readKeyFiles(data), false))).toEqual(['ok']);
    const key = readKeyFiles(data)[0]!.key!;
    const named = { key_id: key.keyId, public_key: encodeBase64(key.publicKey) };
    const levelsWhere = (namesKey: NamedKey): string[] =>
      levels(checkSigningKeys(readKeyFiles(data), false, { keys: [{ ...named, since: 1 }], namesKey }));
    expect(levelsWhere(named)).toEqual(['ok']);
    expect(levelsWhere({ ...named, key_id: 'ed25519:first' })).toEqual(['ok', 'fail']);
    chmodSync(join(path, 'signing.key'), 0o644);
    expect(levels(checkSigningKeys(readKeyFiles(data), false))).toEqual(['warn']);
    write('old.key', 'no key', 0o600);
    expect(levels(checkSigningKeys(readKeyFiles(data), false))).toEqual(['fail', 'warn']);
  });
});

describe('of the settings', () => {
  const name = (text: string): ServerName => text as ServerName;

  test('the server name is that of the log, and not local for ever', () => {
    expect(checkServerName({ serverName: name('a.example') }, 'a.example').level).toBe('ok');
    expect(checkServerName({ serverName: name('a.example') }, undefined).level).toBe('ok');
    expect(checkServerName({ serverName: name('localhost:8008') }, undefined).level).toBe('warn');
    expect(checkServerName({ serverName: name('a.example') }, 'b.example').level).toBe('fail');
  });

  test('the public URL can be reached, by TLS', () => {
    const check = (publicUrl: string, serverName: string): string =>
      checkPublicUrl({ publicUrl, serverName: name(serverName) }).level;
    expect(check('https://matrix.a.example', 'a.example')).toBe('ok');
    expect(check('http://127.0.0.1:8008', 'localhost:8008')).toBe('ok');
    expect(check('http://127.0.0.1:8008', 'a.example')).toBe('warn');
    expect(check('http://matrix.a.example', 'a.example')).toBe('warn');
  });

  test('open registration and absent rate limits are told', () => {
    expect(levels(checkOpenness({ registration: 'token', rateLimits: true }))).toEqual(['ok']);
    expect(levels(checkOpenness({ registration: 'open', rateLimits: false }))).toEqual(['warn', 'warn']);
  });

  test('a certificate that is none is told', () => {
    expect(checkCertificate({}, 0)).toEqual([]);
    writeFileSync(join(folder, 'cert.pem'), 'no certificate');
    expect(levels(checkCertificate({ tlsCert: join(folder, 'cert.pem') }, 0))).toEqual(['fail']);
    expect(levels(checkCertificate({ tlsCert: join(folder, 'absent.pem') }, 0))).toEqual(['fail']);
  });
});

describe('of the projections', () => {
  const behind = { amount: 0, unit: 'facts' as Distance['unit'] };
  const place = { version: 1, generation: 1, position: positionOf(5000), behind };
  const late = (amount: number, unit = behind.unit) => ({ serving: { ...place, behind: { amount, unit } } });
  const status: ProjectionStatus = {
    name: 'timeline',
    state: 'live',
    version: 1,
    serving: place,
    next: undefined,
    previous: undefined,
    position: place.position,
    head: place.position,
    behind,
    facts: { done: 5000, of: 5000 },
    factsPerSecond: 0,
    secondsLeft: undefined,
    paused: undefined,
    lastError: undefined,
    deadLetters: 0,
    isComparing: false,
    comparison: undefined,
  };
  const comparison = { generation: 2, replaced: 1, rows: 3, differences: 1, examples: [] };

  test.each<[string, Partial<ProjectionStatus>, string[]]>([
    ['all is well', {}, ['ok']],
    ['one is a little behind', late(10), ['ok']],
    ['one is far behind', late(4000), ['warn']],
    ['one is a few bytes behind', late(4000, 'bytes'), ['ok']],
    ['one is many bytes behind', late(4_000_000, 'bytes'), ['warn']],
    ['one is paused', { state: 'paused', paused: { reason: 'r', at: 1 }, ...late(4000) }, ['ok', 'warn']],
    ['one has failed', { state: 'failed', lastError: 'stopped at x' }, ['ok', 'fail']],
    ['one lacks facts', { deadLetters: 2 }, ['ok', 'fail']],
    ['a rebuild differed', { comparison }, ['ok', 'warn']],
    ['a generation waits', { next: { ...place, state: 'ready', switchByHand: true } }, ['ok', 'warn']],
  ])('%s', (_, change, expected) => {
    expect(levels(judgeProjections([{ ...status, ...change }], true))).toEqual(expected);
  });

  test('those of a stopped server are allowed to be behind', () => {
    expect(judgeProjections([{ ...status, ...late(4000) }], false)).toMatchObject([
      { level: 'ok', text: expect.stringContaining('they follow when the server starts') },
    ]);
  });
});

test('a check is a line, with its advice', () => {
  expect(checkLine(warn('disk', '1 GiB is free', 'make room'))).toBe('warn  disk: 1 GiB is free -> make room');
});
