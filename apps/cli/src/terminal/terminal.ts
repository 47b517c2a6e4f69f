import { EXIT } from '../failure.js';
import { visible } from './units.js';

/** Where a command speaks: results on `stdout`, everything about the work itself on `stderr`. */
export interface Terminal {
  /** Writes a line of results; settles when the reader has room for more. Control characters are made visible. */
  line(text: string): Promise<void>;
  /** Writes a line for the operator beside the results. */
  note(text: string): void;
  /** Shows the line of progress in place of the one before; undefined takes it away. Only where `isLive`. */
  status(text: string | undefined): void;
  /** Whether a person watches: progress is drawn in place. */
  readonly isLive: boolean;
  /** How many characters fit into a line. */
  readonly columns: number;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr } = process;
  // A reader that has seen enough (`annals audit … | head`) is no error.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    stderr.write(`annals: what was found cannot be written: ${error.message}\n`);
    process.exit(EXIT.failed);
  });
  let drawn = false;
  const erase = (): void => {
    if (drawn) stderr.write('\r\u001b[K');
    drawn = false;
  };
  return {
    isLive: stderr.isTTY === true,
    get columns() {
      return stderr.columns ?? 80;
    },
    async line(text) {
      erase();
      if (!stdout.write(`${visible(text)}\n`)) await new Promise<void>((resolve) => stdout.once('drain', resolve));
    },
    note(text) {
      erase();
      stderr.write(`${visible(text)}\n`);
    },
    status(text) {
      erase();
      if (text === undefined || stderr.isTTY !== true) return;
      stderr.write(text);
      drawn = true;
    },
  };
}
