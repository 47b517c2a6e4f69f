import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { giveToOwner } from '../give-to-owner.js';

/*
 * Sockets in the folder of a file of LMDB, by which processes find each other: the kernel lets go of one whenever and however its process
 * ends, in any container; a file with a process id would outlive a crash. Whoever listens first and looks around second sees whoever does
 * the same, or is seen.
 */

/** What a process is to the file: it writes to it, or is about to have opened it. */
export type Role = 'writer' | 'opener';

/** What every system allows as the path of a socket. */
const MAX_SOCKET_PATH = 100;
const NAME = /^(writer|opener)-(\d+)-[0-9a-f]+\.sock$/;

/** A socket that is there, whether or not somebody listens. */
export interface FoundSocket {
  readonly name: string;
  /** As far as its name can be trusted. */
  readonly pid: number;
}

export interface Listening {
  readonly name: string;
  /** Settles once all connections have ended, too. */
  close(): Promise<void>;
}

/** Listens as a role in a folder. Throws where no socket can be made there. */
export async function listenIn(
  directory: string,
  role: Role,
  onConnection: (socket: Socket) => void,
): Promise<Listening> {
  const name = `${role}-${process.pid}-${randomBytes(6).toString('hex')}.sock`;
  const folder = shortPath(directory);
  const server = createServer(onConnection);
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => {
        folder.close();
        resolve();
      });
    });
  try {
    await new Promise<void>((resolve, reject) => {
      // Also later, where a connection cannot be taken: who made it sees it end.
      server.on('error', reject);
      // A writer of another user must be able to wait for an opener. Who has no business here does not come into the folder.
      server.listen({ path: join(folder.path, name), exclusive: true, writableAll: role === 'opener' }, resolve);
    });
    // Who may not connect to what a killed process has left takes it for one that listens.
    giveToOwner(join(directory, name));
  } catch (error) {
    await close();
    throw error;
  }
  server.unref();
  return { name, close };
}

/** The sockets of a role in a folder; none where there is no folder. */
export async function findSockets(directory: string, role: Role): Promise<FoundSocket[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.flatMap((name) => {
    const [, of, pid] = NAME.exec(name) ?? [];
    return of === role ? [{ name, pid: Number(pid) }] : [];
  });
}

/** A connection to who listens on a socket; undefined where nobody does. Throws where that cannot be known. */
export async function connectIn(directory: string, name: string): Promise<Socket | undefined> {
  const folder = shortPath(directory);
  try {
    return await new Promise((resolve, reject) => {
      const socket = connect({ path: join(folder.path, name) });
      socket.once('connect', () => {
        socket.off('error', reject);
        // That it ends is all there is to know.
        socket.on('error', () => {});
        resolve(socket);
      });
      socket.once('error', reject);
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Reset: it was closed before the connection was taken.
    if (code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'ENOENT') return undefined;
    throw error;
  } finally {
    folder.close();
  }
}

/** What the other side says next; undefined where it ends the connection instead. */
export function nextWord(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve(undefined);
    socket.once('data', (data) => resolve(String(data)));
    socket.once('close', () => resolve(undefined));
  });
}

/** Whether a process listens on the socket. Whatever is not a clear refusal counts as yes. */
export async function answers(directory: string, name: string): Promise<boolean> {
  try {
    const socket = await connectIn(directory, name);
    socket?.destroy();
    return socket !== undefined;
  } catch {
    return true;
  }
}

/** A path for the directory that leaves room for a socket's name: sockets allow about 100 bytes. */
function shortPath(directory: string): { path: string; close(): void } {
  if (Buffer.byteLength(directory) + 40 <= MAX_SOCKET_PATH || process.platform !== 'linux') {
    return { path: directory, close: () => {} };
  }
  const descriptor = openSync(directory, 'r');
  return {
    path: `/proc/self/fd/${descriptor}`,
    close: () => closeSync(descriptor),
  };
}
