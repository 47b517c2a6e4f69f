import { Command, Option, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';

interface RenewOptions extends CommonOptions {
  readonly json?: boolean;
}

@SubCommand({
  name: 'renew',
  description: 'take what was erased out of the files of the views, and give back the room that it took',
})
export class RenewViewsCommand extends AnnalsCommand<RenewOptions> {
  protected async execute(_: string[], options: RenewOptions, terminal: Terminal): Promise<ExitCode> {
    const { renewViews } = await import('../views/run-views.js');
    return renewViews(findInstallation(options.data), terminal, { json: options.json === true });
  }

  @Option({ flags: '--json', description: 'one JSON object' })
  parseJson(): boolean {
    return true;
  }
}

@Command({ name: 'views', description: 'look after the files of the views', subCommands: [RenewViewsCommand] })
export class ViewsCommand extends GroupCommand {}
