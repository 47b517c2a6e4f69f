import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { HOLD, OPENED } from './commit-holds.js';
import { connectIn, findSockets, type Listening, listenIn, nextWord } from './folder-sockets.js';

/** For how long the writer may be silent: it may be in the middle of something, or hold its commits for others. */
const PATIENCE_MS = 15_000;
const LOOK_MS = 50;

/** The writer did not hold its commits while the file was to be opened. */
export class CommitsNotHeld extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CommitsNotHeld';
  }
}

/** How a file is opened for reading, and closed again. */
export interface Opening<T> {
  open(): T | Promise<T>;
  close(opened: T): Promise<void>;
}

/**
 * Opens the file of LMDB in a directory for reading, while the process that writes to it, if there is one, holds its commits: see
 * CommitHolds. Throws CommitsNotHeld where it does not answer, and then nothing was opened; or where it has gone on meanwhile.
 */
export async function openBesideWriter<T>(
  directory: string,
  opening: Opening<T>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  // First: a writer that begins now sees it and waits, or is seen.
  const announced = await announce(directory);
  try {
    const writers = await holdAll(directory, patienceMs);
    try {
      const opened = await opening.open();
      const deadline = performance.now() + patienceMs;
      const held = await Promise.all(writers.map((writer) => ask(writer, OPENED, deadline)));
      const isHeld = held.every((still) => still);
      if (isHeld) return opened;
      await opening.close(opened);
      throw new CommitsNotHeld(
        `the process that writes to ${directory} went on while it was opened, or does not answer any more: its last commit may be lost, look for that with "annals verify"`,
      );
    } finally {
      for (const writer of writers) writer.destroy();
    }
  } finally {
    await announced?.close();
  }
}

/** Undefined where no socket can be made: no writer can begin there either. */
async function announce(directory: string): Promise<Listening | undefined> {
  const waiting = new Set<Socket>();
  try {
    const listening = await listenIn(directory, 'opener', (socket) => {
      socket.on('error', () => {});
      waiting.add(socket);
    });
    const close = (): Promise<void> => {
      const closed = listening.close();
      for (const socket of waiting) socket.destroy();
      return closed;
    };
    return { ...listening, close };
  } catch {
    return undefined;
  }
}

/** Connections to all who write, each of which holds its commits: one at the most, and others that are about to find it out. */
async function holdAll(directory: string, patienceMs: number): Promise<Socket[]> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const writers: Socket[] = [];
    try {
      if (await holdEach(directory, writers, deadline)) return writers;
    } catch (error) {
      for (const writer of writers) writer.destroy();
      throw error;
    }
    for (const writer of writers) writer.destroy();
    if (performance.now() > deadline)
      throw new CommitsNotHeld(
        `the process that writes to ${directory} does not hold its commits: it is of another version, or does not answer; nothing was opened`,
      );
    await delay(LOOK_MS);
  }
}

/** Whether all who write hold their commits. Not so where one has just ended. */
async function holdEach(directory: string, writers: Socket[], deadline: number): Promise<boolean> {
  for (const { name } of await findSockets(directory, 'writer')) {
    const writer = await connectIn(directory, name);
    if (writer === undefined) continue;
    writers.push(writer);
    if (!(await ask(writer, HOLD, deadline))) return false;
  }
  return true;
}

/** Says a word to the writer. Answers whether it has said the same before the deadline. */
async function ask(writer: Socket, word: string, deadline: number): Promise<boolean> {
  const late = setTimeout(() => writer.destroy(), Math.max(0, deadline - performance.now()));
  const answer = nextWord(writer);
  writer.write(word);
  const isSame = (await answer) === word;
  clearTimeout(late);
  return isSame;
}
