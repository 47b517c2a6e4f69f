import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { takeWriterLock } from '#event-store/lmdb/writer-lock';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { DataFolder } from '#testing/data-folder';
import { type BundledScript, bundleScript } from '#testing/start-script';
import { recordedTerminal } from '../test/recorded-terminal.js';
import { testInstallation } from '../test/test-installation.js';
import { runBackup } from './backup/run-backup.js';
import { runRestore } from './backup/run-restore.js';
import type { Installation } from './installation.js';
import { acceptKey } from './keys/accept-key.js';
import { rotateKey } from './keys/rotate-key.js';
import { pauseProjection } from './projections/run-projections.js';
import { createUser } from './users/run-users.js';
import { runVerify } from './verify/run-verify.js';

/** Whom the server runs as. */
const USER = 65_534;

const folder = new DataFolder();
const backup = mkdtempSync(join(tmpdir(), 'annals-as-root-'));
let verifier: BundledScript;
let copier: BundledScript;
let writer: BundledScript;

beforeAll(async () => {
  verifier = await bundleScript('apps/cli/src/verify/verify-process.ts');
  copier = await bundleScript('libs/read-models/src/lmdb/copy-views-process.ts');
  writer = await bundleScript('libs/event-store/src/lmdb/endless-writer.ts');
  await folder.fill();
});
afterAll(async () => {
  folder.remove();
  rmSync(backup, { recursive: true });
  for (const script of [verifier, copier, writer]) await script.remove();
});

function everything(): string[] {
  return ['', ...readdirSync(folder.path, { recursive: true, encoding: 'utf8' })].map((name) =>
    join(folder.path, name),
  );
}

const views = (): string => join(folder.path, 'views');

const COMMANDS: Readonly<Record<string, (installation: Installation) => Promise<unknown>>> = {
  'users create': (installation) =>
    createUser(installation, recordedTerminal(), 'carol', { password: 'a password', isGenerated: false }, false),
  'projections pause': (installation) => pauseProjection(installation, recordedTerminal(), 'accounts', 'to look at it'),
  'views renew': async () => {
    const store = await openLmdbReadModels(views(), { copyProgram: copier.path, log: () => {} });
    await store.renew!();
    await store.close();
  },
  'keys rotate': (installation) => rotateKey(installation, recordedTerminal()),
  'keys accept': (installation) => acceptKey(installation, recordedTerminal()),
  verify: (installation) => runVerify(installation, recordedTerminal(), { json: false, program: verifier.path }),
  'restore --replace': async (installation) => {
    await runBackup(installation, recordedTerminal(), backup);
    await runRestore(installation, recordedTerminal(), backup, { replace: true });
  },
};

describe.runIf(process.platform === 'linux' && process.geteuid?.() === 0)('root', () => {
  beforeEach(() => {
    // What is not there is made anew.
    for (const path of everything()) if (/lock\.mdb$|last-end\.json$/.test(path)) rmSync(path);
    for (const path of everything()) chownSync(path, USER, USER);
  });

  test.each(Object.entries(COMMANDS))('leaves all to the user whose folder it is: annals %s', async (_, run) => {
    const before = everything().length;
    await run(testInstallation(folder.path));
    expect(everything().length).toBeGreaterThan(before);
    expect(everything().filter((path) => lstatSync(path).uid !== USER)).toEqual([]);
  });

  test.runIf(spawnSync('setpriv', ['--version']).status === 0)(
    'that may give nothing away writes all the same',
    async () => {
      const args = ['--bounding-set=-chown', process.execPath, writer.path, join(folder.path, 'log')];
      const writing = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const exited = once(writing, 'exit');
      const begun = await Promise.race([once(writing.stdout, 'data'), exited]);
      writing.kill('SIGKILL');
      await exited;
      expect(String(begun[0])).toMatch(/^\S+ \d/);
      expect(everything().filter((path) => lstatSync(path).uid === 0)).not.toEqual([]);
    },
  );

  test('whose process was killed keeps nobody from writing', async () => {
    const log = join(folder.path, 'log');
    const writing = spawn(process.execPath, [writer.path, log], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(writing.stdout, 'data');
    writing.kill('SIGKILL');
    await once(writing, 'exit');
    expect(readdirSync(log).filter((name) => name.startsWith('writer-'))).toHaveLength(1);
    process.seteuid!(USER);
    try {
      await (await takeWriterLock(log)).release();
    } finally {
      process.seteuid!(0);
    }
  });
});
