import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { ViewsNotRenewed } from '../read-model-errors.js';
import { COPY_NOW, COPY_STEPS, COPYING, type CopyStep } from './copy-messages.js';

const PROGRAM = fileURLToPath(new URL('./copy-views-process.js', import.meta.url));
/** Writes wait while it opens their file. */
const OPEN_MS = 5000;
/** So often nothing has been heard of it, one look after another, and it is given up: it was stopped, or the disk answers no more. A copy may last for hours. */
const MOST_SILENT_LOOKS = 10;
const LOOK_MS = 30_000;
/** Whoever the server answers goes first. */
const NICENESS = 10;

/** For tests. */
export interface CopierOptions {
  readonly program?: string | undefined;
  readonly lookMs?: number | undefined;
}

/** Copies the views in one folder into another, in a process of its own, so that nobody waits for it. Ended by the signal, and by `end`. */
export class ViewsCopier {
  readonly #process: ChildProcess;
  /** What went wrong is thrown by all steps that are left. */
  readonly #steps: Readonly<Record<CopyStep, Promise<void>>>;
  #fail: (reason: string) => void = () => {};
  readonly #looking: NodeJS.Timeout;

  constructor(
    from: string,
    to: string,
    signal: AbortSignal,
    { program = PROGRAM, lookMs = LOOK_MS }: CopierOptions = {},
  ) {
    const stdio = ['ignore', 'ignore', 'ignore', 'ipc'] as const;
    this.#process = spawn(process.execPath, [program, from, to], { stdio: [...stdio], signal, killSignal: 'SIGKILL' });
    const failed = new Promise<never>((_, reject) => {
      this.#fail = (reason) => reject(new ViewsNotRenewed(`they could not be copied: ${reason}`));
    });
    const reached = (step: CopyStep): Promise<void> => {
      const told = new Promise<void>((resolve) => {
        this.#process.on('message', (message) => message === step && resolve());
      });
      const either = Promise.race([told, failed]);
      either.catch(() => {});
      return either;
    };
    this.#steps = { ready: reached('ready'), opened: reached('opened'), copied: reached('copied') };
    // Looks, and not one time: in that this process may itself have been stopped.
    let silentLooks = 0;
    this.#looking = setInterval(() => {
      if (++silentLooks === MOST_SILENT_LOOKS) this.#fail('the process that does so gets no further');
    }, lookMs).unref();
    this.#process.on('message', (message) => {
      silentLooks = 0;
      if (message === COPYING) return;
      if (!(COPY_STEPS as readonly unknown[]).includes(message)) this.#fail(String(message));
    });
    this.#process.on('error', ({ message }) => this.#fail(message));
    this.#process.on('exit', (code, killed) => this.#fail(`the process that does so ended (${killed ?? code})`));
    stepBack(this.#process);
  }

  /** It waits to be told to open the file. */
  ready(): Promise<void> {
    return this.#steps.ready;
  }

  /** Has it open the file: to be called while nobody writes to that. Then it copies. Where it throws the process is gone, and opens nothing later. */
  async open(): Promise<void> {
    const late = setTimeout(() => this.#fail('the process that does so does not answer'), OPEN_MS);
    this.#process.send(COPY_NOW, (error) => error !== null && this.#fail(error.message));
    try {
      await this.#steps.opened;
    } catch (error) {
      await this.end();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  /** All is copied, and on the disk. */
  copied(): Promise<void> {
    return this.#steps.copied;
  }

  /** Settles once the process is gone. */
  async end(): Promise<void> {
    clearInterval(this.#looking);
    const { pid, exitCode, signalCode } = this.#process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }
}

function stepBack({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, NICENESS);
  } catch {
    // It is gone, or the system has no such thing.
  }
}
