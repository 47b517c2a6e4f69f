import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Homeserver } from './homeserver.js';

/**
 * Runs a program that is a client of the server: it is given the server's address, writes a line for each thing that it saw to be
 * right, and `restart` where it wants the server to be started again, which it is told by a line. Answers the other lines; throws
 * with what the program complained of where it ends with anything but 0.
 */
export async function runClientProgram(
  server: Homeserver,
  command: string,
  args: readonly string[],
): Promise<string[]> {
  const child = spawn(command, [...args, server.base], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // What it keeps goes with what the server keeps.
    env: { ...process.env, TMPDIR: server.directory },
  });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const ended = once(child, 'close') as Promise<[number | null]>;
  const saw: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'restart') {
      await server.restart();
      child.stdin.write('started\n');
    } else saw.push(line);
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`${command} ended with ${code} after "${saw.at(-1) ?? 'nothing'}":\n${complaints}`);
  return saw;
}
