import { Command, Option, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';

const loadRun = () => import('../appservices/run-appservices.js');

interface ListOptions extends CommonOptions {
  readonly json?: boolean;
}

@SubCommand({
  name: 'list',
  description: 'how sending to each service does; exit code 1 where one does not take a transaction',
})
export class ListAppservicesCommand extends AnnalsCommand<ListOptions> {
  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }

  protected async execute(_: string[], { data, json = false }: ListOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).listAppservices(findInstallation(data), terminal, { json });
  }
}

@SubCommand({
  name: 'skip',
  arguments: '<service> <transaction>',
  argsDescription: {
    service: 'the id of the service, as its registration has it',
    transaction: 'the id of the transaction under way, as "annals appservices list" shows it',
  },
  description: 'pass over a transaction that a service never takes: what is in it is lost to that service',
})
export class SkipTransactionCommand extends AnnalsCommand {
  protected async execute(
    [service = '', transaction = '']: string[],
    { data }: CommonOptions,
    terminal: Terminal,
  ): Promise<ExitCode> {
    return (await loadRun()).skipTransaction(findInstallation(data), terminal, service, transaction);
  }
}

@Command({
  name: 'appservices',
  description: 'look after bridges and bots: list how sending to them does, skip a transaction',
  subCommands: [ListAppservicesCommand, SkipTransactionCommand],
})
export class AppservicesCommand extends GroupCommand {}
