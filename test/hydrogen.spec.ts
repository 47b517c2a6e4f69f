import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runClientProgram } from './support/client-program.js';
import { Homeserver } from './support/homeserver.js';

const programOf = (name: string): string => fileURLToPath(new URL(`./clients/hydrogen/${name}`, import.meta.url));
/** A folder with Hydrogen, what drives a browser, and Chromium: `.ci/clients.sh hydrogen` makes one. */
const FOLDER = process.env['CLIENT_HYDROGEN'];

const NEEDS = 'where CLIENT_HYDROGEN names a folder that has it, and Chromium';

describe.skipIf(FOLDER === undefined)(`two users of Hydrogen in a browser (${NEEDS})`, () => {
  let server: Homeserver;

  beforeEach(async () => {
    server = await Homeserver.start();
    for (const name of ['alice', 'bob', 'carol']) await server.register(name, `secret of ${name}`);
  });
  afterEach(() => server.remove());

  test('meet, talk in encrypted rooms, go on through restarts, read back, leave', async () => {
    expect(await runClientProgram(server, process.execPath, [programOf('talk.mjs'), FOLDER ?? ''])).toEqual([
      'logged in',
      'met in an encrypted room',
      'talked, answered, reacted, took back',
      'saw what is new, told what was read, and gave the server nothing to read',
      'went on in a new tab, with what came meanwhile',
      'went on after restarts of the server, and of the pages',
      'joined a public room by its alias, and read it from its end to its beginning',
      'logged out, and came back as a new device',
      'talked alone, and left',
      'found nothing wrong with an answer',
    ]);
  }, 300_000);

  test('verify each other, and trust a new device', async () => {
    expect(await runClientProgram(server, process.execPath, [programOf('trust.mjs'), FOLDER ?? ''])).toEqual([
      'unlocked their keys by their phrases',
      'verified each other by emoji',
      'trusted a new device, which read what was written before it came',
      'found nothing wrong with an answer',
    ]);
  }, 300_000);
});
