import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DataFolder } from '#testing/data-folder';
import { recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { acceptKey } from './accept-key.js';
import { rotateKey } from './rotate-key.js';

let folder: DataFolder;
beforeEach(async () => {
  folder = new DataFolder();
  await folder.fill();
});
afterEach(() => folder.remove());

const accept = async (): Promise<{ lines: string[]; notes: string[] }> => {
  const terminal = recordedTerminal();
  await acceptKey(testInstallation(folder.path), terminal);
  return terminal;
};

it('says what is lost with the key of names, and nothing of the kind where that is there', async () => {
  const keys = join(folder.path, 'keys');
  await rotateKey(testInstallation(folder.path), recordedTerminal());
  const old = readdirSync(keys).find((name) => name.startsWith('old-'))!;
  rmSync(join(keys, 'signing.key'));
  const another = await accept();
  expect(another.lines[0]).toContain('from its next start on');
  expect(another.notes).toEqual([]);
  renameSync(join(keys, old), join(folder.path, old));
  expect((await accept()).notes).toEqual([expect.stringContaining('the key is lost by which the log had its names')]);
  expect((await accept()).notes).toEqual([]);
});
