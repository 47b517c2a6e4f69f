import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Terminal } from './terminal.js';
import { visible } from './units.js';

/** A terminal whose results a person reads page by page. */
export interface PagedTerminal extends Terminal {
  /** Settles when the person has seen enough. */
  close(): Promise<void>;
}

/** What `git` and others do: what fits on a screen is simply shown. */
const DEFAULT_PAGER = 'less';
const LESS = 'FRX';

/** A terminal that shows results by `$PAGER` where a person watches them, else the terminal itself. */
export function pagedTerminal(terminal: Terminal, env: NodeJS.ProcessEnv = process.env): PagedTerminal {
  const pager = env['PAGER'] ?? DEFAULT_PAGER;
  if (process.stdout.isTTY !== true || pager === '' || pager === 'cat') {
    return { ...terminal, columns: terminal.columns, close: async () => {} };
  }
  const child = spawn(pager, { shell: true, stdio: ['pipe', 'inherit', 'inherit'], env: { LESS, ...env } });
  const ended = endOf(child);
  // A reader that has seen enough is no error.
  child.stdin.on('error', () => {});
  return {
    ...terminal,
    columns: terminal.columns,
    async line(text) {
      if (child.stdin.destroyed || child.exitCode !== null) return;
      if (!child.stdin.write(`${visible(text)}\n`)) await Promise.race([once(child.stdin, 'drain'), ended]);
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

/** Settles when the pager has ended, or could not be started. */
function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
}
