import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runClientProgram } from './support/client-program.js';
import { Homeserver } from './support/homeserver.js';
import { NODE_22 } from './support/node-22.js';

const PROGRAM = fileURLToPath(new URL('./clients/bot-sdk.cjs', import.meta.url));
/** A folder with matrix-bot-sdk in its node_modules: `.ci/clients.sh bot-sdk` makes one. */
const FOLDER = process.env['CLIENT_BOT_SDK'];

const NEEDS = 'where Node is 22 or later and CLIENT_BOT_SDK names a folder that has it';

describe.runIf(NODE_22 && FOLDER !== undefined)(`a bot of matrix-bot-sdk (${NEEDS})`, () => {
  let server: Homeserver;

  beforeAll(async () => {
    server = await Homeserver.start();
    for (const name of ['alice', 'bot']) await server.register(name, `secret of ${name}`);
  });
  afterAll(() => server.remove());

  test('answers, goes on after restarts, moderates', async () => {
    expect(await runClientProgram(server, process.execPath, [PROGRAM, FOLDER ?? ''])).toEqual([
      'joined where it was invited, and answered',
      'went on after restarts, with what came meanwhile, and answered nothing twice',
      'moderated',
      'made a space',
    ]);
  }, 300_000);
});
