import { rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectIn, findSockets, nextWord } from './folder-sockets.js';

/** Runs something while nothing is committed, however long that takes. */
export type Alone = (run: () => Promise<void>) => Promise<void>;

/** What an opener says, and is answered: hold, it is held; it is open, it was held until now. Each waits for the other's word. */
export const HOLD = 'h';
export const OPENED = 'o';

/** For how long commits wait for one opener: what it does meanwhile takes milliseconds. */
const HOLD_MS = 5000;
/** For how long a writer that begins waits for those who were opening the file before. */
const BEGIN_MS = 10_000;
const LOOK_MS = 50;

export interface CommitHoldsOptions {
  /** Told where commits have waited for an opener for too long, and go on. */
  readonly onHeldTooLong?: (message: string) => void;
  /** For how long they wait; five seconds by default. */
  readonly holdMs?: number;
  /** For how long a writer that begins waits for those who were opening the file before; ten seconds by default. */
  readonly beginMs?: number;
}

/**
 * The writer's side: it holds commits while another process opens the file. LMDB has whoever opens it write into the lock file which
 * transaction they found last; the writer takes that for its last one, and a commit that came in between would be written over.
 */
export class CommitHolds {
  readonly #onHeldTooLong: (message: string) => void;
  readonly #holdMs: number;
  readonly #beginMs: number;
  readonly #running = new Set<Promise<void>>();
  #serve: (alone: Alone) => void = () => {};
  #isRefusing = false;
  /** While the writer begins it commits nothing anyhow. */
  #alone: Promise<Alone> = Promise.resolve((run) => run());

  constructor(
    private readonly directory: string,
    { onHeldTooLong = console.warn, holdMs = HOLD_MS, beginMs = BEGIN_MS }: CommitHoldsOptions,
  ) {
    this.#onHeldTooLong = onHeldTooLong;
    this.#holdMs = holdMs;
    this.#beginMs = beginMs;
  }

  /** Takes a connection. Who only wants to know whether somebody listens ends it at once. */
  readonly accept = (socket: Socket): void => {
    socket.on('error', () => {});
    const idle = setTimeout(() => socket.destroy(), this.#holdMs);
    void nextWord(socket).then((word) => {
      clearTimeout(idle);
      if (word !== HOLD) return void socket.destroy();
      const held = this.#hold(socket).catch(() => void socket.destroy());
      this.#running.add(held);
      void held.then(() => this.#running.delete(held));
    });
  };

  /** Waits until all have opened the file who began before this process could be seen. From then on others wait for `serve`. */
  async begin(): Promise<void> {
    const deadline = performance.now() + this.#beginMs;
    for (const { name, pid } of await findSockets(this.directory, 'opener')) {
      const opener = await this.#connect(name, deadline);
      if (opener === undefined) {
        // Left by a process that was killed, or of one that does not listen yet: that one will see this process.
        await rm(join(this.directory, name), { force: true });
        continue;
      }
      let isLate = false;
      const late = setTimeout(
        () => {
          isLate = true;
          opener.destroy();
        },
        Math.max(0, deadline - performance.now()),
      );
      // However the connection ends, it was opened: who opens it synchronously takes none, and has the kernel reset it.
      await nextWord(opener);
      clearTimeout(late);
      if (isLate) throw new Error(`${this.directory} is being opened by another process (${pid}), for too long`);
    }
    await this.#settled();
    this.#alone = new Promise((resolve) => (this.#serve = resolve));
  }

  /** From now on commits are made, and openers have `alone` called. */
  serve(alone: Alone): void {
    this.#serve(alone);
  }

  /** From now on commits are held for nobody more: who asks is refused, and asks again until there is no writer. */
  refuse(): void {
    this.#isRefusing = true;
  }

  /** Settles once nobody is served any more: all is as it was when they began until then. */
  async end(): Promise<void> {
    this.refuse();
    this.#serve(async () => {});
    await this.#settled();
  }

  /** As `connectIn`, but who may not connect waits until the socket is gone, or listened to by somebody who lets them. */
  async #connect(name: string, deadline: number): Promise<Socket | undefined> {
    for (;;) {
      try {
        return await connectIn(this.directory, name);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
        if (performance.now() > deadline)
          throw new Error(
            `${join(this.directory, name)} is the socket of another user, who may be opening the file: remove it where no such process runs`,
            { cause: error },
          );
      }
      await delay(LOOK_MS);
    }
  }

  async #settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #hold(socket: Socket): Promise<void> {
    const alone = await this.#alone;
    if (this.#isRefusing) return void socket.destroy();
    await alone(async () => {
      if (socket.destroyed) return;
      const late = setTimeout(() => {
        this.#onHeldTooLong(
          `Commits to ${this.directory} have waited for ${this.#holdMs} ms for another process to open it, and go on`,
        );
        socket.destroy();
      }, this.#holdMs);
      socket.write(HOLD);
      // It ends the connection where it cannot open the file, or is ended itself.
      if ((await nextWord(socket)) === OPENED) socket.end(OPENED);
      clearTimeout(late);
    });
  }
}
