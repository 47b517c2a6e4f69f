import type { ExportedPart } from '#homeserver/export-methods';
import { messageOf } from '#kernel/message-of';
import { type ControlClient, ControlRefusal } from '#projections/control-client';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { counted, size } from '../terminal/units.js';
import { writeExport } from './write-export.js';

/** `users export NAME`: what the running server has of somebody, into a new folder. */
export async function exportUser(
  installation: Installation,
  terminal: Terminal,
  name: string,
  to: string | undefined,
  signal: AbortSignal,
): Promise<ExitCode> {
  const folder = to ?? `annals-data-${plainName(name)}`;
  const client = await installation.connect();
  if (client === undefined)
    throw new CliFailure('the server is not running: what it has of people is read from its views');
  // The server notices that nobody reads any more.
  const onAbort = (): void => client.close();
  signal.addEventListener('abort', onAbort);
  try {
    const { files, bytes } = await writeExport(folder, partsOf(client, name, signal), (path, number) =>
      terminal.status(`${number} ${path}`),
    );
    terminal.status(undefined);
    await terminal.line(`${folder}: ${counted(files, 'file')}, ${size(bytes)}; begin with ${folder}/index.html`);
    return EXIT.ok;
  } finally {
    terminal.status(undefined);
    signal.removeEventListener('abort', onAbort);
    client.close();
  }
}

async function* partsOf(client: ControlClient, name: string, signal: AbortSignal): AsyncGenerator<ExportedPart, void> {
  try {
    // What the server's method of that name answers.
    for await (const part of client.stream({ method: 'users.export', name })) yield part as ExportedPart;
  } catch (error) {
    if (signal.aborted) throw new CliFailure('interrupted', EXIT.interrupted);
    if (error instanceof ControlRefusal) throw new CliFailure(error.message, EXIT.found, error.errcode);
    throw new CliFailure(`the server does not answer any more: ${messageOf(error)}`);
  }
}

/** The name as a part of one that every file system takes. */
function plainName(name: string): string {
  const localpart = name.replace(/^@/, '').split(':')[0]!;
  return localpart.replaceAll(/[^a-z0-9._=+-]/gi, '_');
}
