import type { Terminal } from '../src/terminal/terminal.js';

/** A terminal that keeps what a command says. */
export interface RecordedTerminal extends Terminal {
  readonly lines: string[];
  readonly notes: string[];
  readonly statuses: (string | undefined)[];
}

export function recordedTerminal(isLive = false): RecordedTerminal {
  const lines: string[] = [];
  const notes: string[] = [];
  const statuses: (string | undefined)[] = [];
  return {
    lines,
    notes,
    statuses,
    isLive,
    columns: 200,
    line: async (text) => void lines.push(text),
    note: (text) => void notes.push(text),
    status: (text) => void statuses.push(text),
  };
}
