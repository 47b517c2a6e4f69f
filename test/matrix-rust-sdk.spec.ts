import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runClientProgram } from './support/client-program.js';
import { Homeserver } from './support/homeserver.js';

/** The program of test/clients/rust: `.ci/clients.sh rust` builds it. */
const PROGRAM = process.env['CLIENT_RUST'];

describe.skipIf(PROGRAM === undefined)(
  "two users of Element X's core (where CLIENT_RUST names the built program)",
  () => {
    let server: Homeserver;

    // A server of its own for each try: what a client has once done cannot be done again.
    beforeEach(async () => {
      server = await Homeserver.start();
      for (const name of ['alice', 'bob']) await server.register(name, `secret of ${name}`);
    });
    afterEach(() => server.remove());

    test('list rooms, talk in an encrypted one, through restarts, are notified, recover, verify and remove devices, and reset an identity', async () => {
      expect(await runClientProgram(server, PROGRAM ?? '', [])).toEqual([
        'logged in and synced',
        'has the room in the list',
        'talked in an encrypted room',
        'went on after restarts, with what came meanwhile',
        'was notified',
        'recovered on a new device, and read there what was written before',
        'verified a device by emoji',
        'went on without a removed device',
        'talked with somebody who had their identity reset',
        'followed threads on two devices, and where the user was mentioned',
        'scrolled back',
      ]);
    }, 600_000);
  },
);
