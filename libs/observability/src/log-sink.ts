import { write } from 'node:fs';

/** The most text that waits while nobody takes it: some ten thousand lines. */
const MAX_WAITING = 4 * 1024 * 1024;
/** How long a full disk or a closed pipe is left alone before it is tried again. */
const RETRY_MS = 1000;
/** How long a pipe whose reader is slow is left alone. */
const BUSY_MS = 20;

export interface LogSinkOptions {
  /** Characters; what comes while so many wait is dropped. */
  readonly maxWaiting?: number;
  readonly retryMs?: number;
}

/**
 * Takes the lines of the log to a file descriptor, in the background and in order. It never blocks, never throws and never
 * ends the process: while a disk is full, a pipe is closed or its reader stands still, lines wait; those for which there is
 * no more room are dropped and counted, and a line says so once lines can be written again.
 */
export class LogSink {
  readonly #maxWaiting: number;
  readonly #retryMs: number;
  #lines: string[] = [];
  #size = 0;
  #isWriting = false;
  #dropped = 0;
  #untold = 0;
  readonly #flushes: (() => void)[] = [];

  constructor(
    private readonly descriptor: number,
    options: LogSinkOptions = {},
  ) {
    this.#maxWaiting = options.maxWaiting ?? MAX_WAITING;
    this.#retryMs = options.retryMs ?? RETRY_MS;
  }

  /** How many lines have been dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes a line, which ends with a line feed. */
  write(line: string): void {
    if (this.#size + line.length > this.#maxWaiting) {
      this.#dropped++;
      this.#untold++;
      return;
    }
    this.#lines.push(line);
    this.#size += line.length;
    if (!this.#isWriting) {
      this.#isWriting = true;
      // What else is logged in this turn goes out in the same write.
      setImmediate(() => this.#writeWaiting());
    }
  }

  /** Settles when all lines so far have been written, or after so many milliseconds; answers whether they have. */
  async flush(milliseconds: number): Promise<boolean> {
    if (!this.#isWriting) return true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), milliseconds)));
    const written = new Promise<boolean>((resolve) => this.#flushes.push(() => resolve(true)));
    const isWritten = await Promise.race([written, late]);
    clearTimeout(timer);
    return isWritten;
  }

  #writeWaiting(): void {
    if (this.#lines.length === 0) {
      this.#isWriting = false;
      for (const settle of this.#flushes.splice(0)) settle();
      return;
    }
    const bytes = Buffer.from(this.#lines.join(''));
    // They count as waiting until they are written.
    const size = this.#size;
    this.#lines = [];
    this.#writeBytes(bytes, () => {
      this.#size -= size;
      if (this.#untold > 0) this.#tellDropped();
      this.#writeWaiting();
    });
  }

  #writeBytes(bytes: Buffer, done: () => void): void {
    write(this.descriptor, bytes, 0, bytes.length, null, (error, written) => {
      if (error === null) {
        if (written === bytes.length) done();
        else this.#writeBytes(bytes.subarray(written), done);
        return;
      }
      const again = (): void => this.#writeBytes(bytes, done);
      // Waiting must not keep a process alive that has nothing else to do.
      setTimeout(again, error.code === 'EAGAIN' ? BUSY_MS : this.#retryMs).unref();
    });
  }

  /** Whatever the room: there is some again. */
  #tellDropped(): void {
    const told = { level: 40, time: new Date().toISOString(), dropped: this.#untold, msg: 'log lines were dropped' };
    const line = `${JSON.stringify(told)}\n`;
    this.#untold = 0;
    this.#lines.push(line);
    this.#size += line.length;
  }
}
