import { rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
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

export interface CommitHoldsOptions {
  /** Told where commits have waited for an opener for too long, and go on. */
  readonly onHeldTooLong?: (message: string) => void;
  /** For how long they wait; five seconds by default. */
  readonly holdMs?: number;
}

/**
 * The writer's side: it holds commits while another process opens the file. LMDB has whoever opens it write into the lock file which
 * transaction they found last; the writer takes that for its last one, and a commit that came in between would be written over.
 */
export class CommitHolds {
  readonly #onHeldTooLong: (message: string) => void;
  readonly #holdMs: number;
  readonly #running = new Set<Promise<void>>();
  #serve: (alone: Alone) => void = () => {};
  /** While the writer begins it commits nothing anyhow. */
  #alone: Promise<Alone> = Promise.resolve((run) => run());

  constructor(
    private readonly directory: string,
    { onHeldTooLong = console.warn, holdMs = HOLD_MS }: CommitHoldsOptions,
  ) {
    this.#onHeldTooLong = onHeldTooLong;
    this.#holdMs = holdMs;
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
    const deadline = performance.now() + BEGIN_MS;
    for (const { name, pid } of await findSockets(this.directory, 'opener')) {
      const opener = await connectIn(this.directory, name);
      if (opener === undefined) {
        // Left by a process that was killed, or of one that does not listen yet: that one will see this process.
        await rm(join(this.directory, name), { force: true });
        continue;
      }
      const late = setTimeout(() => opener.destroy(new Error('late')), Math.max(0, deadline - performance.now()));
      await nextWord(opener);
      clearTimeout(late);
      if (opener.errored)
        throw new Error(`${this.directory} is being opened by another process (${pid}), for too long`);
    }
    await this.#settled();
    this.#alone = new Promise((resolve) => (this.#serve = resolve));
  }

  /** From now on commits are made, and openers have `alone` called. */
  serve(alone: Alone): void {
    this.#serve(alone);
  }

  /** Settles once nobody is served any more: all is as it was when they began until then. */
  async end(): Promise<void> {
    this.#serve(async () => {
      throw new Error('Nothing was opened');
    });
    await this.#settled();
  }

  async #settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #hold(socket: Socket): Promise<void> {
    const alone = await this.#alone;
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
