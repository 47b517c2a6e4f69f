import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Homeserver } from './homeserver.js';

const START = fileURLToPath(new URL('../../apps/start.mjs', import.meta.url));

/** What became of a command. */
export interface Ended {
  /** null where it was killed. */
  readonly code: number | null;
  readonly output: string;
}

/** Runs a command of the operator's over the data folder of a server. */
export function annals(server: Homeserver, ...args: readonly string[]): Promise<Ended> {
  return annalsWith({}, server, ...args);
}

/** As `annals`, with further variables of the environment. */
export function annalsWith(
  env: Readonly<Record<string, string>>,
  server: Homeserver,
  ...args: readonly string[]
): Promise<Ended> {
  const child = spawn(process.execPath, [START, 'cli', ...args, '--data', server.directory], {
    env: { PATH: process.env['PATH'], ...server.settings, ...env },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}
