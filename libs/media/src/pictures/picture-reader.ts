import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { OpenContent } from '../store/media-store.js';
import { type PictureAnswer, type SentJob, TOO_LARGE, TOO_SLOW, UNREADABLE } from './picture-job.js';

const HEAP_MB = 64;

/** The process could not be started, or was ended by somebody else. */
export class ReaderLost extends Error {
  constructor(reason: string) {
    super(`the process that reads pictures: ${reason}`);
    this.name = 'ReaderLost';
  }
}

/** How a process ends of what it reads. */
const CRASHES: ReadonlySet<string> = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL', 'SIGFPE', 'SIGTRAP']);

/** A process that reads pictures, one at a time. */
export class PictureReader {
  readonly #process: ChildProcess;
  /** Why it has ended. */
  #ending: PictureAnswer | ReaderLost | undefined;
  /** Told that by who waits for an answer. */
  #onEnd: (ending: PictureAnswer | ReaderLost) => void = () => {};
  #hasEnded = false;

  constructor(program: string) {
    this.#process = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, program], {
      stdio: ['pipe', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
      // Secrets of the server are none of its business.
      env: {},
    });
    this.#process.once('error', (error) => this.#note(new ReaderLost(error.message)));
    this.#process.once('exit', (code, signal) => this.#note(endingOf(code, signal)));
    this.#process.stdin?.on('error', () => {});
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * What it answers to a job. A picture that takes longer than it may, or ends the process, is refused. Throws what reading the content
   * throws, and ReaderLost, also where the content did not come in that time. Unless it answered, the process is of no use any more.
   */
  async ask(job: SentJob, { stream }: OpenContent, withinMs: number): Promise<PictureAnswer> {
    // Where the system gives no more processes it has neither an input nor a channel.
    if (this.#process.pid === undefined) throw new ReaderLost('it could not be started');
    let isLate = false;
    let isPoured = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.end();
    }, withinMs);
    try {
      const answered = new Promise<PictureAnswer>((resolve) => this.#process.once('message', resolve));
      const ending = this.#whenEnded();
      this.#process.send(job, () => {});
      const pouring = this.#pour(stream, ending).then(() => {
        isPoured = true;
        return ending;
      });
      const ended = await Promise.race([answered, ending, pouring]);
      if (isLate && !isPoured) throw new ReaderLost('the content did not come in time');
      if (isLate) return TOO_SLOW;
      if (ended instanceof ReaderLost) throw ended;
      return ended;
    } catch (error) {
      this.end();
      throw error;
    } finally {
      clearTimeout(timer);
      stream.destroy();
      this.#onEnd = () => {};
      this.#process.removeAllListeners('message');
    }
  }

  /** Throws what reading the content throws; where the process goes away nobody takes the rest of it. */
  async #pour(content: Readable, ending: Promise<unknown>): Promise<void> {
    const { stdin } = this.#process;
    for await (const piece of content) {
      if (this.#hasEnded) return;
      if (!stdin!.write(piece)) await Promise.race([once(stdin!, 'drain'), ending]);
    }
  }

  /** Settles with why it has ended; of one job alone, for what waits for one that lives as long as the process would be kept as long. */
  #whenEnded(): Promise<PictureAnswer | ReaderLost> {
    return new Promise((resolve) => {
      this.#onEnd = resolve;
      if (this.#ending !== undefined) resolve(this.#ending);
    });
  }

  #note(ending: PictureAnswer | ReaderLost): void {
    this.#hasEnded = true;
    this.#ending ??= ending;
    this.#onEnd(this.#ending);
  }

  end(): void {
    this.#hasEnded = true;
    this.#process.kill('SIGKILL');
  }
}

/** Who kills it for the memory that it takes is the process itself, or the system. */
function endingOf(code: number | null, signal: string | null): PictureAnswer | ReaderLost {
  if (signal === 'SIGKILL') return TOO_LARGE;
  if (signal !== null && CRASHES.has(signal)) return UNREADABLE;
  return new ReaderLost(`ended with ${signal ?? code}`);
}
