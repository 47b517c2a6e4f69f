import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runClientProgram } from './support/client-program.js';
import { Homeserver } from './support/homeserver.js';

const PROGRAM = fileURLToPath(new URL('./clients/matrix_nio.py', import.meta.url));
/** A Python with matrix-nio[e2e]: `.ci/clients.sh nio` installs one. */
const PYTHON = process.env['CLIENT_NIO'];

describe.skipIf(PYTHON === undefined)('two users of matrix-nio (where CLIENT_NIO names a Python that has it)', () => {
  let server: Homeserver;

  beforeAll(async () => {
    server = await Homeserver.start();
    for (const name of ['alice', 'bob']) await server.register(name, `secret of ${name}`);
  });
  afterAll(() => server.remove());

  test('talk in an encrypted room, through restarts, verify a device and remove one', async () => {
    expect(await runClientProgram(server, PYTHON ?? '', [PROGRAM])).toEqual([
      'logged in, synced and published keys',
      'talked in an encrypted room',
      'went on after restarts, with what came meanwhile',
      'verified a device by emoji',
      'went on without a removed device',
      'typed and read',
      'scrolled back',
      'found nothing wrong with an answer',
    ]);
  }, 300_000);
});
