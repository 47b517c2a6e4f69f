import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RegistrationTokens } from '#accounts/registration-tokens';
import { administrateTokensStopped } from '#accounts/administration/stopped-server';
import { systemClock } from '#kernel/clock';
import type { ServerName, UserId } from '#kernel/ids';
import { DataFolder } from '#testing/data-folder';
import { TEST_NAMES } from '#testing/test-names';
import { type RecordedTerminal, recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import { createToken, deleteToken, listTokens, updateToken } from './run-registration-tokens.js';

let folder: DataFolder;
let terminal: RecordedTerminal;

beforeEach(() => {
  folder = new DataFolder();
  terminal = recordedTerminal();
});
afterEach(() => folder.remove());

const installation = () => testInstallation(folder.path);
const NEXT_YEAR = Date.now() + 365 * 24 * 3_600_000;

async function list(onlyValid = false): Promise<Record<string, unknown>[]> {
  const json = recordedTerminal();
  expect(await listTokens(installation(), json, { json: true, onlyValid })).toBe(EXIT.ok);
  return json.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Whether somebody may register by it, as the log has it: then they do. */
function use(token: string): Promise<boolean> {
  return folder.write(async (store) => {
    const tokens = new RegistrationTokens(store, systemClock, { whenProcessed: async () => {} }, {});
    const isUsable = await tokens.isUsable(token);
    if (isUsable) await tokens.use(token, '@alice:a.example' as UserId);
    return isUsable;
  });
}

describe('the registration tokens of a stopped server', () => {
  test('are made before it has ever started, printed, listed, and used', async () => {
    expect(await createToken(installation(), terminal, 'summer', { uses: 1, expiresAt: NEXT_YEAR })).toBe(EXIT.ok);
    expect(terminal.lines).toEqual(['summer']);
    await createToken(installation(), terminal, undefined, {});
    const made = terminal.lines[1]!;
    expect(made).toMatch(/^[\w.~-]{8,64}$/);
    const summer = { token: 'summer', uses_allowed: 1, completed: 0, expiry_time: NEXT_YEAR, valid: true };
    expect(await list()).toEqual([
      summer,
      { token: made, uses_allowed: null, completed: 0, expiry_time: null, valid: true },
    ]);
    expect(await use('summer')).toBe(true);
    expect(await list()).toContainEqual({ ...summer, completed: 1, valid: false });
    expect((await list(true)).map(({ token }) => token)).toEqual([made]);
    await listTokens(installation(), terminal, { json: false, onlyValid: false });
    expect(terminal.lines.slice(2)).toEqual([
      expect.stringMatching(/^TOKEN +USED +OF +UNTIL +STATE$/),
      expect.stringMatching(/^summer +1 +1 +\S+Z +not valid$/),
      expect.stringMatching(new RegExp(`^${made} +0 +any +valid$`)),
    ]);
  });

  test('get other limits, of which those that are not named stay', async () => {
    await createToken(installation(), terminal, 'summer', { uses: 1, expiresAt: NEXT_YEAR });
    await use('summer');
    expect(await list()).toMatchObject([{ valid: false }]);
    expect(await updateToken(installation(), terminal, 'summer', { uses: 2 })).toBe(EXIT.ok);
    expect(await list()).toMatchObject([{ uses_allowed: 2, expiry_time: NEXT_YEAR, completed: 1, valid: true }]);
    await updateToken(installation(), terminal, 'summer', { uses: null, expiresAt: null });
    expect(await list()).toMatchObject([{ uses_allowed: null, expiry_time: null }]);
  });

  test('are withdrawn for ever, also those of which nobody kept the text', async () => {
    await createToken(installation(), terminal, 'summer', {});
    expect(await deleteToken(installation(), terminal, 'summer')).toBe(EXIT.ok);
    expect(await list()).toEqual([]);
    expect(await use('summer')).toBe(false);
    await folder.write(async (store) => {
      const tokens = new RegistrationTokens(store, systemClock, { whenProcessed: async () => {} }, {});
      await tokens.create('printed', { uses_allowed: 1 }, { actor: 'server' });
    });
    const [{ token }] = (await list()) as [{ token: string }];
    expect(token).toMatch(/^sha256-[0-9a-f]{64}$/);
    await deleteToken(installation(), terminal, token);
    expect(await use('printed')).toBe(false);
  });

  test('are refused where they could not be: then nothing is changed', async () => {
    await createToken(installation(), terminal, 'summer', {});
    const refused = { exitCode: EXIT.found };
    for (const run of [
      () => createToken(installation(), terminal, 'summer', {}),
      () => createToken(installation(), terminal, 'no token', {}),
      () => createToken(installation(), terminal, 'past', { expiresAt: 1 }),
      () => updateToken(installation(), terminal, 'other', { uses: 1 }),
      () => updateToken(installation(), terminal, 'summer', { expiresAt: 1 }),
      () => deleteToken(installation(), terminal, 'other'),
    ])
      await expect(run()).rejects.toMatchObject(refused);
    expect(await list()).toMatchObject([{ token: 'summer', expiry_time: null }]);
    await folder.write(async (store) => {
      const tokens = administrateTokensStopped(store, 'a.example' as ServerName, TEST_NAMES);
      await expect(tokens.revoke('other')).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    });
  });
});
