import { Command, Option, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';
import { LOCAL_USER } from './local-user.js';

const loadRun = () => import('../erasures/run-erasures.js');

interface EraseOptions extends CommonOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly here?: boolean;
}

/** A subcommand of `users`. */
@SubCommand({
  name: 'erase',
  arguments: '<name>',
  argsDescription: { name: LOCAL_USER },
  description: 'end an account for ever, with all that its user said and kept: in the log, the views and the media',
})
export class EraseUserCommand extends AnnalsCommand<EraseOptions> {
  protected async execute(
    [name = '']: string[],
    { data, yes, dryRun, here }: EraseOptions,
    terminal: Terminal,
    signal: AbortSignal,
  ): Promise<ExitCode> {
    const [{ eraseUser }, { confirmName }] = await Promise.all([
      import('../erasures/run-erase.js'),
      import('../erasures/confirm-name.js'),
    ]);
    const confirm = async (userId: string): Promise<void> => {
      if (yes !== true) await confirmName(userId, { input: process.stdin, output: process.stderr });
    };
    const options = { isDry: dryRun === true, here: here === true, confirm };
    return eraseUser(findInstallation(data), terminal, name, options, signal);
  }

  @Option({ flags: '--yes', description: 'it is meant: do not ask for the name once more' })
  parseYes(): boolean {
    return true;
  }

  @Option({ flags: '--dry-run', description: 'only tell what would go' })
  parseDryRun(): boolean {
    return true;
  }

  @Option({ flags: '--here', description: 'tell no other server, and no client' })
  parseHere(): boolean {
    return true;
  }
}

interface ListOptions extends CommonOptions {
  readonly status?: boolean;
}

@SubCommand({ name: 'list', description: 'who was erased, one JSON object per line, as "apply" takes it' })
export class ListErasuresCommand extends AnnalsCommand<ListOptions> {
  protected async execute(_: string[], { data, status }: ListOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).listErasures(findInstallation(data), terminal, { status: status === true });
  }

  @Option({ flags: '--status', description: 'for people: what became of each' })
  parseStatus(): boolean {
    return true;
  }
}

@SubCommand({
  name: 'apply',
  arguments: '<file>',
  argsDescription: { file: 'what "list" has written, or the erasures.jsonl of a data folder or a backup' },
  description: 'have those erased again of whose erasure the log does not know: it was restored',
})
export class ApplyErasuresCommand extends AnnalsCommand {
  protected async execute([file = '']: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).applyErasures(findInstallation(data), terminal, file);
  }
}

@Command({
  name: 'erasures',
  description: 'see who was erased, and have it done again to a restored log',
  subCommands: [ListErasuresCommand, ApplyErasuresCommand],
})
export class ErasuresCommand extends GroupCommand {}
