import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Accounts } from '#accounts/accounts';
import { PasswordHasher } from '#accounts/credentials/password-hasher';
import { administrateStopped } from '#accounts/administration/stopped-server';
import { erasureListIn, readErasureList } from '#admin/erasures/erasure-list';
import { takeWriterLock } from '#event-store/lmdb/writer-lock';
import { systemClock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { DataFolder } from '#testing/data-folder';
import { TEST_NAMES } from '#testing/test-names';
import { type RecordedTerminal, recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import {
  createUser,
  deactivateUser,
  listUsers,
  resetPassword,
  restrictUser,
  setAdmin,
  setRateLimit,
} from './run-users.js';

let folder: DataFolder;
let terminal: RecordedTerminal;

beforeEach(() => {
  folder = new DataFolder();
  terminal = recordedTerminal();
});
afterEach(() => folder.remove());

const chosen = { password: 'sesame', isGenerated: false };
const alice = '@alice:a.example' as UserId;

/** Whether the log would let the user in with this password. */
function accepts(userId: UserId, password: string): Promise<boolean> {
  return folder.write(async (store) => {
    const account = await new Accounts(store, systemClock, { whenProcessed: async () => {} }).load(userId);
    return new PasswordHasher().verify(account.passwordHash, password);
  });
}

async function list(): Promise<Record<string, unknown>[]> {
  const json = recordedTerminal();
  expect(await listUsers(testInstallation(folder.path), json, { json: true })).toBe(EXIT.ok);
  return json.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the users of a stopped server', () => {
  test('can be made before it has ever started', async () => {
    expect(await createUser(testInstallation(folder.path), terminal, 'alice', chosen, true)).toBe(EXIT.ok);
    expect(terminal.lines).toEqual(['@alice:a.example has an account and administers this server']);
    expect(await accepts(alice, 'sesame')).toBe(true);
    expect(await list()).toEqual([{ user_id: alice, created_ts: expect.any(Number), via: 'operator', admin: true }]);
  });

  test('wait for a process that holds the log and does not listen: a server that starts, or another command', async () => {
    mkdirSync(join(folder.path, 'log'));
    const lock = await takeWriterLock(join(folder.path, 'log'));
    const creating = createUser(testInstallation(folder.path), terminal, 'alice', chosen, false);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await lock.release();
    expect(await creating).toBe(EXIT.ok);
    expect(terminal.lines).toEqual(['@alice:a.example has an account']);
  });

  test('are shown a password that was made up, once, and no other', async () => {
    await createUser(
      testInstallation(folder.path),
      terminal,
      '@Bob:a.example',
      { password: 'made-up', isGenerated: true },
      false,
    );
    expect(terminal.lines).toEqual(['@bob:a.example has an account', 'password (shown this once): made-up']);
    await resetPassword(testInstallation(folder.path), terminal, 'bob', chosen, false);
    expect(terminal.lines.join(' ')).not.toContain('sesame');
  });

  test('get a new password', async () => {
    await createUser(testInstallation(folder.path), terminal, 'alice', chosen, false);
    await resetPassword(
      testInstallation(folder.path),
      terminal,
      alice,
      { password: 'other', isGenerated: false },
      false,
    );
    expect(await accepts(alice, 'sesame')).toBe(false);
    expect(await accepts(alice, 'other')).toBe(true);
  });

  test('become administrators and cease to be, and are deactivated', async () => {
    await createUser(testInstallation(folder.path), terminal, 'alice', chosen, false);
    await setAdmin(testInstallation(folder.path), terminal, 'alice', true);
    expect(await list()).toMatchObject([{ admin: true }]);
    await setAdmin(testInstallation(folder.path), terminal, 'alice', false);
    expect((await list())[0]).not.toHaveProperty('admin');
    await deactivateUser(testInstallation(folder.path), terminal, 'alice', true);
    expect(await list()).toMatchObject([{ deactivated: true, erased: true }]);
    expect(terminal.notes.at(-1)).toContain('the user leaves their rooms once it does');
    expect(await accepts(alice, 'sesame')).toBe(false);
    await expect(setAdmin(testInstallation(folder.path), terminal, 'alice', true)).rejects.toMatchObject({
      exitCode: EXIT.found,
    });
  });

  test('are on the list of who was erased as soon as that is told, and not where nothing goes', async () => {
    const installation = testInstallation(folder.path);
    const listed = (): string[] => readErasureList(erasureListIn(folder.path)).map(({ user_id: id }) => id);
    for (const name of ['alice', 'bob']) await createUser(installation, terminal, name, chosen, false);
    await deactivateUser(installation, terminal, 'bob', false);
    expect(listed()).toEqual([]);
    await deactivateUser(installation, terminal, 'alice', true);
    expect(listed()).toEqual([alice]);
  });

  test('are not closed by whom the server speaks to all others', async () => {
    const installation = testInstallation(folder.path, { ANNALS_NOTICES_USER: 'alice' });
    await createUser(installation, terminal, 'alice', chosen, false);
    await expect(deactivateUser(installation, terminal, 'alice', true)).rejects.toMatchObject({
      message: expect.stringContaining('ANNALS_NOTICES_USER'),
      exitCode: EXIT.found,
    });
    expect((await list())[0]).not.toHaveProperty('deactivated');
  });

  test('are locked and suspended, administrators too, until that is lifted', async () => {
    const installation = testInstallation(folder.path);
    await createUser(installation, terminal, 'alice', chosen, true);
    await restrictUser(installation, terminal, 'alice', 'locked', true);
    await restrictUser(installation, terminal, 'alice', 'suspended', true);
    expect(await list()).toMatchObject([{ admin: true, locked: true, suspended: true }]);
    await listUsers(installation, terminal, { json: false });
    expect(terminal.lines.at(-1)).toContain('administrator, locked, suspended');
    await restrictUser(installation, terminal, 'alice', 'locked', false);
    expect(terminal.lines.at(-1)).toBe('@alice:a.example is no longer locked');
    expect((await list())[0]).not.toHaveProperty('locked');
    await expect(restrictUser(installation, terminal, 'bob', 'locked', true)).rejects.toMatchObject({
      exitCode: EXIT.found,
    });
  });

  test('have a rate limit of their own, until that of everybody holds again', async () => {
    const installation = testInstallation(folder.path);
    await createUser(installation, terminal, 'bot', chosen, false);
    await setRateLimit(installation, terminal, 'bot', { per_second: 5, burst: 50 });
    expect(terminal.lines.at(-1)).toBe('@bot:a.example may ask for 5 requests a second, and 50 at once');
    expect(await list()).toMatchObject([{ rate_limit: { per_second: 5, burst: 50 } }]);
    await setRateLimit(installation, terminal, 'bot', { per_second: 0, burst: 0 });
    expect(terminal.lines.at(-1)).toContain('as much as they like');
    await setRateLimit(installation, terminal, 'bot', undefined);
    expect((await list())[0]).not.toHaveProperty('rate_limit');
  });

  test.each<[string, string]>([
    ['@alice:b.example', 'not a user of a.example'],
    ['Ünïcode', 'user name'],
  ])('cannot be called %s: foreign, or strange', async (name, message) => {
    await createUser(testInstallation(folder.path), terminal, 'alice', chosen, false);
    await expect(createUser(testInstallation(folder.path), terminal, name, chosen, false)).rejects.toMatchObject({
      message: expect.stringContaining(message),
      exitCode: EXIT.found,
    });
  });

  test('that are there already are left as they are, which is no failure', async () => {
    await createUser(testInstallation(folder.path), terminal, 'alice', chosen, false);
    const again = { password: 'other', isGenerated: true };
    expect(await createUser(testInstallation(folder.path), terminal, 'Alice', again, true)).toBe(EXIT.ok);
    expect(terminal.lines.at(-1)).toBe('Alice: User ID already taken; nothing was changed');
    expect(await accepts(alice, 'sesame')).toBe(true);
    expect((await list())[0]).not.toHaveProperty('admin');
  });

  test('must be there to be changed', async () => {
    await createUser(testInstallation(folder.path), terminal, 'alice', chosen, false);
    const dora = resetPassword(testInstallation(folder.path), terminal, 'dora', chosen, false);
    await expect(dora).rejects.toMatchObject({ message: 'No such user', exitCode: EXIT.found });
  });

  test('are never those of another server than the log has', async () => {
    await createUser(testInstallation(folder.path), terminal, 'alice', chosen, false);
    const other = testInstallation(folder.path, { ANNALS_SERVER_NAME: 'b.example' });
    await expect(createUser(other, terminal, 'bob', chosen, false)).rejects.toMatchObject({
      message: expect.stringContaining('that of a.example'),
      exitCode: EXIT.config,
    });
  });

  test('are listed in a table, however many there are', async () => {
    await folder.write(async (store) => {
      const users = administrateStopped(store, testInstallation(folder.path).config, TEST_NAMES);
      for (const name of ['one', 'two', 'three']) await users.create(name, 'x', name === 'two');
    });
    await listUsers(testInstallation(folder.path), terminal, { json: false });
    expect(terminal.lines[0]).toMatch(/^USER +SINCE +BY +STATE$/);
    expect(terminal.lines.slice(1).toSorted()).toEqual([
      expect.stringMatching(/^@one:a\.example +\S+Z +operator$/),
      expect.stringMatching(/^@three:a\.example +\S+Z +operator$/),
      expect.stringMatching(/^@two:a\.example +\S+Z +operator +administrator$/),
    ]);
  });
});
