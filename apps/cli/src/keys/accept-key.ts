import { acceptSigningKey } from '#homeserver/open-own-log';
import { systemClock } from '#kernel/clock';
import { EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { opened } from '../open-to-write.js';
import type { Terminal } from '../terminal/terminal.js';

/** `keys accept`: for a server that does not run, whose key is lost or is to be another. */
export async function acceptKey({ config }: Installation, terminal: Terminal): Promise<ExitCode> {
  const { key, isNew } = await opened(() => acceptSigningKey(config, systemClock));
  const what = `${config.serverName} signs with ${key.key_id}`;
  await terminal.line(isNew ? `${what} from its next start on` : `${what}, as the log knows already`);
  return EXIT.ok;
}
