import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DataFolder } from '#testing/data-folder';
import { type BundledScript, bundleScript } from '#testing/start-script';
import { recordedTerminal } from '../test/recorded-terminal.js';
import { testInstallation } from '../test/test-installation.js';
import { runAudit } from './audit/run-audit.js';
import { EXIT, type ExitCode } from './failure.js';
import { findInstallation, type Installation } from './installation.js';
import { acceptKey } from './keys/accept-key.js';
import { rotateKey } from './keys/rotate-key.js';
import { listProjections } from './projections/run-projections.js';
import { runReplay } from './replay/run-replay.js';
import { listUsers } from './users/run-users.js';
import { runVerify } from './verify/run-verify.js';

const folder = new DataFolder();
let room: string;
let program: BundledScript;

beforeAll(async () => {
  room = (await folder.fill()).roomId;
  program = await bundleScript('apps/cli/src/verify/verify-process.ts');
});
afterAll(async () => {
  folder.remove();
  await program.remove();
});

const { signal } = new AbortController();

const COMMANDS: Readonly<Record<string, (installation: Installation) => Promise<ExitCode>>> = {
  verify: (installation) => runVerify(installation, recordedTerminal(), { json: false, program: program.path }),
  audit: (installation) => runAudit(installation, recordedTerminal(), { room, json: false }),
  'users list': (installation) => listUsers(installation, recordedTerminal(), { json: false }),
  'projections list': (installation) => listProjections(installation, recordedTerminal(), { json: false }),
  replay: (installation) => runReplay(installation, recordedTerminal(), { json: false, checksums: false, signal }),
  'keys accept': (installation) => acceptKey(installation, recordedTerminal()),
  'keys rotate': (installation) => rotateKey(installation, recordedTerminal()),
};

describe.each(Object.entries(COMMANDS))('annals %s', (name, run) => {
  test('refuses the log of another server than the one it is told of, and names both', async () => {
    const other = testInstallation(folder.path, { ANNALS_SERVER_NAME: 'b.example' });
    await expect(run(other)).rejects.toMatchObject({
      message: expect.stringMatching(/ANNALS_SERVER_NAME is b\.example, but the log .*is that of a\.example/),
      exitCode: EXIT.config,
    });
  });

  // What is done in the name of a server has to be told which.
  test.skipIf(name.startsWith('keys '))('takes the log for what it is where it is told of none', async () => {
    expect(await run(findInstallation(folder.path, {}))).toBe(EXIT.ok);
  });
});
