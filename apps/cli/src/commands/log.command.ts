import { Command, Option, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';

interface CopyOptions extends CommonOptions {
  readonly namespace?: string;
}

@SubCommand({
  name: 'copy',
  arguments: '<target>',
  argsDescription: { target: 'where to: the address of an event store (kurrentdb://…), or a data folder' },
  description: 'copy the log to another store, or go on with a copy; what was erased is left out',
})
export class CopyLogCommand extends AnnalsCommand<CopyOptions> {
  protected async execute(
    [target = '']: string[],
    { data, namespace = 'annals' }: CopyOptions,
    terminal: Terminal,
    signal: AbortSignal,
  ): Promise<ExitCode> {
    const { runLogCopy } = await import('../log-copy/run-log-copy.js');
    return runLogCopy(findInstallation(data), terminal, { target, namespace, signal });
  }

  @Option({ flags: '--namespace <name>', description: 'what streams begin with on the event store (else annals)' })
  parseNamespace(name: string): string {
    return name;
  }
}

@Command({
  name: 'log',
  description: 'look after the log',
  subCommands: [CopyLogCommand],
})
export class LogCommand extends GroupCommand {}
