import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '#testing/free-port';
import { runClientProgram } from './support/client-program.js';
import { Homeserver } from './support/homeserver.js';

const PROGRAM = fileURLToPath(new URL('./clients/mautrix_bot.py', import.meta.url));
/** A Python with mautrix[encryption] and matrix-nio[e2e]: `.ci/clients.sh mautrix` installs one. */
const PYTHON = process.env['CLIENT_MAUTRIX'];

describe.skipIf(PYTHON === undefined)('a bot of mautrix (where CLIENT_MAUTRIX names a Python that has it)', () => {
  const directory = mkdtempSync(join(tmpdir(), 'annals-mautrix-'));
  let server: Homeserver;
  let port: number;

  beforeAll(async () => {
    port = await freePort();
    const registration = {
      id: 'crypt',
      url: `http://127.0.0.1:${port}`,
      as_token: 'token-of-the-bot',
      hs_token: 'token-of-the-server',
      sender_localpart: 'cryptbot',
      rate_limited: false,
      'de.sorunome.msc2409.push_ephemeral': true,
      'org.matrix.msc3202': true,
      'io.element.msc4190': true,
      namespaces: { users: [{ exclusive: true, regex: '@crypt_.*' }] },
    };
    const path = join(directory, 'registration.yaml');
    writeFileSync(path, JSON.stringify(registration));
    server = await Homeserver.start({ env: { ANNALS_APPSERVICES: path } });
    for (const name of ['alice', 'bob']) await server.register(name, `secret of ${name}`);
  });
  afterAll(async () => {
    await server.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  test('encrypts as an application service does: with what it is told in transactions, and without /sync', async () => {
    expect(await runClientProgram(server, PYTHON ?? '', [PROGRAM, `${port}`])).toEqual([
      'made a device by its own token, and published its keys',
      'read what was encrypted for it, and was read',
      'read all of it once, in its order',
      'heard of a new device, which reads it and is read',
      'was told after it and the server were away, with the keys to read it',
      'made new one-time keys when they ran short',
      'found nothing wrong with a transaction or an answer',
    ]);
  }, 300_000);
});
