import { Command, Option, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';
import { parseNumber } from './parse-number.js';

const loadRun = () => import('../reports/run-reports.js');

const ID = { id: 'the number of the report, as "annals reports list" shows it' };

interface ListOptions extends CommonOptions {
  readonly json?: boolean;
  readonly all?: boolean;
}

@SubCommand({ name: 'list', description: 'what users reported, and is not closed' })
export class ListReportsCommand extends AnnalsCommand<ListOptions> {
  protected async execute(_: string[], options: ListOptions, terminal: Terminal): Promise<ExitCode> {
    const { data, json = false, all = false } = options;
    return (await loadRun()).listAllReports(findInstallation(data), terminal, { json, all });
  }

  @Option({ flags: '--json', description: 'one JSON object per line, with the content' })
  parseJson(): boolean {
    return true;
  }

  @Option({ flags: '--all', description: 'also those that are closed' })
  parseAll(): boolean {
    return true;
  }
}

@SubCommand({
  name: 'show',
  arguments: '<id>',
  argsDescription: ID,
  description: 'a report with the content that was reported, as it was then',
})
export class ShowReportCommand extends AnnalsCommand {
  protected async execute([id = '']: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).showReport(findInstallation(data), terminal, parseNumber('id', id));
  }
}

@SubCommand({
  name: 'close',
  arguments: '<id>',
  argsDescription: ID,
  description: 'be done with a report: the content and the reason go from the log',
})
export class CloseReportCommand extends AnnalsCommand {
  protected async execute([id = '']: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).closeReport(findInstallation(data), terminal, parseNumber('id', id));
  }
}

@Command({
  name: 'reports',
  description: 'what users reported to the operators of this server',
  subCommands: [ListReportsCommand, ShowReportCommand, CloseReportCommand],
})
export class ReportsCommand extends GroupCommand {}
