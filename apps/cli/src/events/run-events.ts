import type { RedactedAsServer } from '#rooms/commands/redact-as-server';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { callServer } from '../projections/remote-projections.js';
import type { Terminal } from '../terminal/terminal.js';

/** `events redact`: takes the content of an event away, in the room where somebody here may, else on this server alone. */
export async function redactEvent(
  installation: Installation,
  terminal: Terminal,
  target: { readonly room: string; readonly event: string; readonly reason: string | undefined },
): Promise<ExitCode> {
  const client = await installation.connect();
  if (client === undefined) throw new CliFailure('the server is not running: it alone can redact events', EXIT.failed);
  try {
    const { as, before } = await callServer<RedactedAsServer>(client, 'events.redact', target);
    await terminal.line(tell(target.event, as, before));
    return EXIT.ok;
  } finally {
    client.close();
  }
}

function tell(event: string, as: string | undefined, before: true | undefined): string {
  if (before === true) return `${event} was redacted before; nothing was changed`;
  if (as !== undefined) return `${event} is redacted in its room, in the name of ${as}`;
  return `${event} is redacted on this server alone: nobody here may redact it in its room`;
}
