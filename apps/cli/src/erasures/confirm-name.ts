import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { CliFailure, EXIT } from '../failure.js';

/** Where a question is asked and answered. */
export interface Conversation {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable;
}

/** Has somebody type a name before what cannot be undone is done to it. Throws CliFailure where they do not, or nobody is there. */
export async function confirmName(name: string, { input, output }: Conversation): Promise<void> {
  if (input.isTTY !== true) throw new CliFailure('nobody to ask: --yes says that it is meant');
  const lines = createInterface({ input, output, terminal: true });
  try {
    const typed = await lines.question(`This cannot be undone. Type ${name} to go on: `);
    if (typed.trim() !== name) throw new CliFailure('that is another name: nothing was done', EXIT.found);
  } finally {
    lines.close();
  }
}
