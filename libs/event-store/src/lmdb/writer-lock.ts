import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

const NAME = /^writer-(\d+)-[0-9a-f]+\.sock$/;
/** What every system allows as the path of a socket. */
const MAX_SOCKET_PATH = 100;

/** The right to write into a directory. */
export interface WriterLock {
  release(): Promise<void>;
}

/** Another process has the right to write. */
export class WrittenByAnother extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WrittenByAnother';
  }
}

/**
 * Takes the right to write into a directory, or throws a WrittenByAnother that names the process which holds it. The lock is a
 * listening socket in the directory, because the kernel lets go of it whenever and however the process ends, in any
 * container; a file with a process id would outlive a crash.
 */
export async function takeWriterLock(directory: string): Promise<WriterLock> {
  const name = `writer-${process.pid}-${randomBytes(6).toString('hex')}.sock`;
  const folder = shortPath(directory);
  const server = createServer((socket) => socket.destroy());
  const release = () =>
    new Promise<void>((resolve) => {
      server.close(() => {
        folder.close();
        resolve();
      });
    });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: join(folder.path, name), exclusive: true }, resolve);
    });
    server.unref();
    // Each contender listens first and looks around second: of two, at least one sees the other.
    for (const other of await readdir(directory)) {
      const pid = NAME.exec(other)?.[1];
      if (pid === undefined || other === name) continue;
      if (await answers(join(folder.path, other))) {
        throw new WrittenByAnother(
          `${directory} is being written by another process (${pid}); only one may write at a time`,
        );
      }
      // Left by a process that was killed, or of one that does not listen yet: that one will see this process.
      await rm(join(directory, other), { force: true });
    }
    // Another contender took this socket for one of a killed process: nobody would be kept out by it.
    if (!existsSync(join(directory, name))) {
      throw new WrittenByAnother(`${directory}: several processes began to write at once`);
    }
    return { release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The process that holds the right to write into a directory, as far as its name can be trusted; undefined where none does. */
export async function findWriter(directory: string): Promise<number | undefined> {
  const folder = shortPath(directory);
  try {
    for (const name of await readdir(directory)) {
      const pid = NAME.exec(name)?.[1];
      if (pid !== undefined && (await answers(join(folder.path, name)))) return Number(pid);
    }
    return undefined;
  } finally {
    folder.close();
  }
}

/** Whether a process listens on the socket. Whatever is not a clear refusal counts as yes. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
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
