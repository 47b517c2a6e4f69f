import { rotateSigningKey } from '#homeserver/open-own-log';
import { systemClock } from '#kernel/clock';
import { EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { opened } from '../open-to-write.js';
import type { Terminal } from '../terminal/terminal.js';

/** `keys rotate`: for a server that does not run, and is to sign with another key. */
export async function rotateKey({ config }: Installation, terminal: Terminal): Promise<ExitCode> {
  const { key, before } = await opened(() => rotateSigningKey(config, systemClock));
  await terminal.line(
    `${config.serverName} signs with ${key.key_id} from its next start on; ${before.key_id} stays good for what it has signed`,
  );
  return EXIT.ok;
}
