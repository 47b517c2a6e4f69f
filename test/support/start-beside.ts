import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { Homeserver } from './homeserver.js';

/** Starts another process upon the log of a server that runs, with a data folder of its own. */
export async function startBeside(first: Homeserver, env: Readonly<Record<string, string>> = {}): Promise<Homeserver> {
  const second = new Homeserver({ env: { ...env, ...first.settings } });
  cpSync(join(first.directory, 'keys'), join(second.directory, 'keys'), { recursive: true });
  try {
    await second.start();
  } catch (error) {
    await second.remove();
    throw error;
  }
  return second;
}
