import { closeSync, openSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Socket } from 'node:net';

/** What every system allows as the path of a socket. */
const MAX_PATH = 100;
/** The longest line either side takes. */
const MAX_LINE = 8 * 1024 * 1024;

/** What the CLI asks of a running server: one line of JSON. */
export interface ControlRequest {
  readonly method: string;
  readonly name?: string;
  readonly [parameter: string]: unknown;
}

/** What it is told: one line of JSON; or one for each part of what comes bit by bit, of which the last has no `more`. */
export type ControlResponse =
  | { readonly ok: true; readonly result: unknown; readonly more?: true }
  | { readonly ok: false; readonly error: string; readonly errcode?: string };

/** A path that reaches the socket and is short enough for one; to be closed once the socket has been bound or connected. */
export function reachableSocketPath(path: string): { readonly path: string; close(): void } {
  if (Buffer.byteLength(path) <= MAX_PATH || process.platform !== 'linux') return { path, close: () => {} };
  const directory = openSync(dirname(path), 'r');
  return { path: join(`/proc/self/fd/${directory}`, basename(path)), close: () => closeSync(directory) };
}

/** The lines that arrive on a socket, until the other side ends. Throws where a line is too long. */
export async function* linesOf(socket: Socket): AsyncIterable<string> {
  let rest = '';
  socket.setEncoding('utf8');
  for await (const chunk of socket as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE) throw new Error('A line is too long');
    yield* lines;
  }
}
