import { hash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open as openRaw } from 'lmdb';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeSigningKey, generateSigningKey } from '#protocol/signing/signing-key';
import { takeWriterLock } from '#event-store/lmdb/writer-lock';
import { DataFolder } from '#testing/data-folder';
import { bundleScript } from '#testing/start-script';
import { type RecordedTerminal, recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import { runBackup } from './run-backup.js';
import { runRestore } from './run-restore.js';

let folder: DataFolder;
let target: string;
let terminal: RecordedTerminal;

beforeEach(async () => {
  folder = new DataFolder();
  await folder.fill();
  target = mkdtempSync(join(tmpdir(), 'annals-backup-'));
  terminal = recordedTerminal();
});
afterEach(() => {
  folder.remove();
  rmSync(target, { recursive: true, force: true });
});

const backUp = (): Promise<number> => runBackup(testInstallation(folder.path), terminal, target);

test('a backup is written within its folder, which may be the root of a mounted disk', async () => {
  mkdirSync(join(target, 'lost+found'));
  const { ino } = statSync(target);
  expect(await backUp()).toBe(EXIT.ok);
  expect(statSync(target).ino).toBe(ino);
  expect(readdirSync(target).toSorted()).toEqual(['keys', 'log', 'lost+found', 'manifest.json']);
});

test('what a backup left that did not come to its end is removed by the next one, which says so', async () => {
  mkdirSync(join(target, 'partial-999999999/log'), { recursive: true });
  expect(await backUp()).toBe(EXIT.ok);
  expect(readdirSync(target).toSorted()).toEqual(['keys', 'log', 'manifest.json']);
  expect(terminal.notes).toEqual([`removed what a backup that was interrupted left in ${target}`]);
});

test.each([true, false])(
  'who restores a backup is told where the key has been changed since: %s',
  async (isChanged) => {
    expect(await backUp()).toBe(EXIT.ok);
    const newer = generateSigningKey();
    if (isChanged) writeFileSync(join(folder.path, 'keys/signing.key'), encodeSigningKey(newer));
    expect(await runRestore(testInstallation(folder.path), terminal, target, { replace: true })).toBe(EXIT.ok);
    expect(terminal.notes.join().includes(`the key there was another one, ${newer.keyId}.`)).toBe(isChanged);
    expect(terminal.notes.join().includes('annals keys accept')).toBe(isChanged);
  },
);

test('two backups are not made in one folder at once', async () => {
  mkdirSync(join(target, `partial-${process.ppid}`));
  await expect(backUp()).rejects.toThrow('another backup is being made');
  expect(readdirSync(target)).toEqual([`partial-${process.ppid}`]);
});

test('a backup that cannot be made leaves nothing', async () => {
  rmSync(join(folder.path, 'keys'), { recursive: true });
  writeFileSync(join(folder.path, 'keys'), 'no folder');
  await expect(backUp()).rejects.toThrow('the backup could not be made: ENOTDIR');
  expect(readdirSync(target)).toEqual([]);
  target = join(target, 'new');
  await expect(backUp()).rejects.toThrow('the backup could not be made: ENOTDIR');
  expect(existsSync(target)).toBe(false);
});

test.each(['log/backup', 'keys/backup', 'views/of/today', 'log'])(
  'a backup is not made in %s of the data folder, with which it would be lost, by whatever path',
  async (name) => {
    mkdirSync(join(folder.path, 'views'), { recursive: true });
    for (const data of [folder.path, join(target, 'link')]) {
      if (data !== folder.path) symlinkSync(folder.path, data);
      const making = runBackup(testInstallation(folder.path), terminal, join(data, name));
      await expect(making).rejects.toThrow(/lies within .*(log|keys|views), and would be lost with it/);
    }
    expect(existsSync(join(folder.path, name, 'manifest.json'))).toBe(false);
  },
);

test.each([
  ['nobody writes', false],
  ['a server writes', true],
])(
  'a log that is damaged and %s is copied as it is, and whoever does so, or restores it, is told',
  async (_, isWritten) => {
    const root = openRaw({ path: join(folder.path, 'log'), noSubdir: false, maxDbs: 8 });
    const facts = root.openDB<Buffer, number>({ name: 'facts', encoding: 'binary' });
    await facts.put(9, facts.get(9)!.subarray(0, 20));
    await root.close();
    const program = await bundleScript('libs/event-store/src/lmdb/find-damage-process.ts');
    const lock = isWritten ? await takeWriterLock(join(folder.path, 'log')) : undefined;
    lock?.serve((run) => run());
    expect(await runBackup(testInstallation(folder.path), terminal, target, { damageProgram: program.path })).toBe(
      EXIT.found,
    );
    await lock?.release();
    await program.remove();
    expect(terminal.notes).toEqual([
      expect.stringMatching(
        /^the log is damaged: row \d+ of facts .*; keep the backups that were made before: "annals verify" .*"annals restore"/,
      ),
    ]);
    expect(JSON.parse(readFileSync(join(target, 'manifest.json'), 'utf8'))).toMatchObject({
      damage: expect.stringMatching(/^row \d+ of facts is not as it was written/),
    });
    const empty = testInstallation(join(target, 'elsewhere'));
    await expect(runRestore(empty, terminal, target, { replace: false })).rejects.toMatchObject({
      message: expect.stringContaining('was damaged when it was backed up (row'),
      exitCode: EXIT.found,
    });
  },
);

describe('the list of who was erased', () => {
  const ERASED = '{"user_id":"@alice:a.example","at":5}\n';
  const list = (root: string): string => join(root, 'erasures.jsonl');
  const restore = (): Promise<number> => runRestore(testInstallation(folder.path), terminal, target, { replace: true });

  test('is in a backup, which names it as it does the log, and says how many keys there are', async () => {
    writeFileSync(list(folder.path), ERASED);
    expect(await backUp()).toBe(EXIT.ok);
    expect(readFileSync(list(target), 'utf8')).toBe(ERASED);
    const { files } = JSON.parse(readFileSync(join(target, 'manifest.json'), 'utf8')) as { files: object[] };
    const sha256 = hash('sha256', ERASED, 'hex');
    expect(files).toContainEqual({ path: 'erasures.jsonl', bytes: ERASED.length, sha256 });
    expect(terminal.lines.join()).toContain('and 1 key,');
    rmSync(list(folder.path));
    expect(await restore()).toBe(EXIT.ok);
    expect(readFileSync(list(folder.path), 'utf8')).toBe(ERASED);
  });

  test.each([
    ['is gone', () => rmSync(list(target)), 'the backup is not whole'],
    ['says something else', () => writeFileSync(list(target), ''), 'the backup is damaged'],
  ])('a backup is not restored of which it %s', async (_, damage, refusal) => {
    writeFileSync(list(folder.path), ERASED);
    await backUp();
    damage();
    await expect(restore()).rejects.toThrow(refusal);
    expect(readFileSync(list(folder.path), 'utf8')).toBe(ERASED);
  });

  test('is taken from a backup of before, whose manifest does not name it', async () => {
    await backUp();
    writeFileSync(list(target), ERASED);
    expect(await restore()).toBe(EXIT.ok);
    expect(readFileSync(list(folder.path), 'utf8')).toBe(ERASED);
  });
});

describe('the content of media', () => {
  const put = (content: string, named = hash('sha256', content, 'hex'), root = folder.path): string => {
    const place = join(root, 'media/content', named.slice(0, 2), named.slice(2, 4));
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, named), content);
    return join(place, named).slice(root.length);
  };
  const read = (root: string, path: string): string | undefined =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined;

  test('is in a backup, where it takes no place on the same disk, and left out where it is not wanted', async () => {
    const path = put('a picture');
    writeFileSync(join(folder.path, 'media/content/.DS_Store'), 'what somebody put there');
    expect(await backUp()).toBe(EXIT.ok);
    expect(read(target, path)).toBe('a picture');
    expect(statSync(join(target, path)).ino).toBe(statSync(join(folder.path, path)).ino);
    expect(terminal.lines.join()).toMatch(/; 1 file of media, 9 bytes$/);
    rmSync(target, { recursive: true });
    await runBackup(testInstallation(folder.path), terminal, target, { withoutMedia: true });
    expect(readdirSync(target).toSorted()).toEqual(['keys', 'log', 'manifest.json']);
  });

  test('is not in a backup where it is in a bucket, which is said', async () => {
    put('of a time before');
    const installation = testInstallation(folder.path, {
      ANNALS_MEDIA_BUCKET: 'https://s3.example.org/media',
      ANNALS_MEDIA_BUCKET_KEY_ID: 'id',
      ANNALS_MEDIA_BUCKET_SECRET: 'secret',
    });
    expect(await runBackup(installation, terminal, target)).toBe(EXIT.ok);
    expect(terminal.notes.join()).toContain('in a bucket, and no part of this backup');
    expect(readdirSync(target).toSorted()).toEqual(['keys', 'log', 'manifest.json']);
  });

  test('is there after a restoration: what is in the backup, and what is here', async () => {
    const kept = put('in the backup');
    const rotten = put('rotten in the backup');
    expect(await backUp()).toBe(EXIT.ok);
    rmSync(join(target, rotten));
    put('something else', rotten.slice(-64), target);
    const later = put('came later');
    rmSync(join(folder.path, kept));
    expect(await runRestore(testInstallation(folder.path), terminal, target, { replace: true })).toBe(EXIT.ok);
    expect([read(folder.path, kept), read(folder.path, later)]).toEqual(['in the backup', 'came later']);
    expect(read(folder.path, rotten)).toBe('rotten in the backup');
    expect(terminal.notes).toContain('1 file of media in the backup are not what was written');
    const replaced = readdirSync(folder.path).find((name) => name.startsWith('replaced-'))!;
    expect(read(join(folder.path, replaced), later)).toBe('came later');
  });
});
