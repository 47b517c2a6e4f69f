import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Alone, CommitHolds, type CommitHoldsOptions } from './commit-holds.js';
import { answers, findSockets, listenIn } from './folder-sockets.js';

/** The right to write into a directory. */
export interface WriterLock {
  /** To be called once the file is open: who opens it elsewhere has `alone` called, and waits for this until then. */
  serve(alone: Alone): void;
  /** To be called before the file is closed: nobody more has `alone` called, so that what is under way comes to an end. */
  refuse(): void;
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
 * listening socket in the directory. On it others ask for commits to be held, too; those who were opening the file before are waited for.
 */
export async function takeWriterLock(directory: string, options: CommitHoldsOptions = {}): Promise<WriterLock> {
  const holds = new CommitHolds(directory, options);
  const { name, close } = await listenIn(directory, 'writer', holds.accept);
  const release = async (): Promise<void> => {
    await holds.end();
    await close();
  };
  try {
    // Each contender listens first and looks around second: of two, at least one sees the other.
    for (const other of await findSockets(directory, 'writer')) {
      if (other.name === name) continue;
      if (await answers(directory, other.name)) {
        throw new WrittenByAnother(
          `${directory} is being written by another process (${other.pid}); only one may write at a time`,
        );
      }
      // Left by a process that was killed, or of one that does not listen yet: that one will see this process.
      await rm(join(directory, other.name), { force: true });
    }
    // Another contender took this socket for one of a killed process: nobody would be kept out by it.
    if (!existsSync(join(directory, name))) {
      throw new WrittenByAnother(`${directory}: several processes began to write at once`);
    }
    await holds.begin();
    return { serve: (alone) => holds.serve(alone), refuse: () => holds.refuse(), release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The process that holds the right to write into a directory, as far as its name can be trusted; undefined where none does. */
export async function findWriter(directory: string): Promise<number | undefined> {
  for (const { name, pid } of await findSockets(directory, 'writer')) if (await answers(directory, name)) return pid;
  return undefined;
}
