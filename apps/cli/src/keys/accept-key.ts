import { acceptSigningKey } from '#homeserver/open-own-log';
import { systemClock } from '#kernel/clock';
import { EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { opened } from '../open-to-write.js';
import type { Terminal } from '../terminal/terminal.js';

/** `keys accept`: for a server that does not run, whose key is lost or is to be another. */
export async function acceptKey({ config }: Installation, terminal: Terminal): Promise<ExitCode> {
  const { key, isNew, isForNames } = await opened(() => acceptSigningKey(config, systemClock));
  const what = `${config.serverName} signs with ${key.key_id}`;
  await terminal.line(isNew ? `${what} from its next start on` : `${what}, as the log knows already`);
  if (isForNames)
    terminal.note(
      'the key is lost by which the log had its names of mail addresses, phone numbers and accounts elsewhere: this one makes them from now on. ' +
        'Invitations that wait for an address lapse, and pushers that mail are to be set anew',
    );
  return EXIT.ok;
}
