import { Command, Option, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';

interface RedactOptions extends CommonOptions {
  readonly reason?: string;
}

@SubCommand({
  name: 'redact',
  arguments: '<room> <event>',
  argsDescription: { room: 'the id of its room: !…', event: 'the id of the event: $…' },
  description: 'take the content of an event away: in its room where somebody here may, else on this server alone',
})
export class RedactEventCommand extends AnnalsCommand<RedactOptions> {
  protected async execute(
    [room = '', event = '']: string[],
    { data, reason }: RedactOptions,
    terminal: Terminal,
  ): Promise<ExitCode> {
    const { redactEvent } = await import('../events/run-events.js');
    return redactEvent(findInstallation(data), terminal, { room, event, reason });
  }

  @Option({ flags: '--reason <text>', description: 'why, for the log and, in the room, for everybody' })
  parseReason(text: string): string {
    return text;
  }
}

@Command({ name: 'events', description: 'look after events of rooms', subCommands: [RedactEventCommand] })
export class EventsCommand extends GroupCommand {}
