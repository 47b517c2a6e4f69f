import { Command, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';

@SubCommand({
  name: 'accept',
  arguments: '<date>',
  argsDescription: { date: 'which day it is, such as 2026-11-30, in UTC: what the clock has to show' },
  description:
    'believe the clock at once, though the log knows nothing of the week before: what is over by it is destroyed',
})
export class AcceptClockCommand extends AnnalsCommand {
  protected async execute([date = '']: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    const { acceptClock } = await import('../clock/accept-clock.js');
    return acceptClock(findInstallation(data), terminal, date);
  }
}

@Command({
  name: 'clock',
  description: 'say that the clock is right, where the server has its doubts',
  subCommands: [AcceptClockCommand],
})
export class ClockCommand extends GroupCommand {}
