import { Command, Option, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation, type Installation } from '../installation.js';
import type { SimpleCommand } from '../projections/run-projections.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';

const loadRun = () => import('../projections/run-projections.js');
type Run = Awaited<ReturnType<typeof loadRun>>;

const NAME = 'the name of the projection, as "annals projections list" shows it';

interface ReadOptions extends CommonOptions {
  readonly json?: boolean;
}

/** What a command that looks at projections is given. */
interface Look {
  readonly run: Run;
  readonly installation: Installation;
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly name: string | undefined;
}

abstract class LookCommand extends AnnalsCommand<ReadOptions> {
  protected async execute([name]: string[], { data, json }: ReadOptions, terminal: Terminal): Promise<ExitCode> {
    const run = await loadRun();
    return this.look({ run, installation: findInstallation(data), terminal, json: json === true, name });
  }

  protected abstract look(look: Look): Promise<ExitCode>;

  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }
}

@SubCommand({ name: 'list', description: 'how every projection does' })
export class ListProjectionsCommand extends LookCommand {
  protected look({ run, installation, terminal, json }: Look): Promise<ExitCode> {
    return run.listProjections(installation, terminal, { json });
  }
}

@SubCommand({
  name: 'status',
  arguments: '<name>',
  argsDescription: { name: NAME },
  description: 'all about one projection',
})
export class ProjectionStatusCommand extends LookCommand {
  protected look({ run, installation, terminal, json, name = '' }: Look): Promise<ExitCode> {
    return run.showProjection(installation, terminal, name, { json });
  }
}

@SubCommand({
  name: 'dead-letters',
  arguments: '[name]',
  argsDescription: { name: NAME },
  description: 'the facts that projections could not take; exit code 1 where there are any',
})
export class DeadLettersCommand extends LookCommand {
  protected look({ run, installation, terminal, json, name }: Look): Promise<ExitCode> {
    return run.listDeadLetters(installation, terminal, name, { json });
  }
}

@SubCommand({
  name: 'checksum',
  arguments: '[name]',
  argsDescription: { name: NAME },
  description: 'rows and checksum of what serves: equal on every server with the same log',
})
export class ChecksumCommand extends LookCommand {
  protected look({ run, installation, terminal, json, name }: Look): Promise<ExitCode> {
    return run.showChecksums(installation, terminal, name, { json });
  }
}

interface RebuildOptions extends CommonOptions {
  readonly byHand?: boolean;
  readonly fromStart?: boolean;
  readonly wait?: boolean;
}

@SubCommand({
  name: 'rebuild',
  arguments: '<name>',
  argsDescription: { name: NAME },
  description: 'fill a new generation from the log, switch to it, compare it with what it replaces',
})
export class RebuildCommand extends AnnalsCommand<RebuildOptions> {
  protected async execute(
    [name = '']: string[],
    { data, byHand = false, fromStart = false, wait = true }: RebuildOptions,
    terminal: Terminal,
    signal: AbortSignal,
  ): Promise<ExitCode> {
    const run = await loadRun();
    return run.rebuildProjection(findInstallation(data), terminal, name, { byHand, fromStart, wait, signal });
  }

  @Option({ flags: '--by-hand', description: 'do not switch to it: "annals projections switch" does' })
  parseByHand(): boolean {
    return true;
  }

  @Option({ flags: '--from-start', description: 'begin anew, also where a cancelled rebuild could go on' })
  parseFromStart(): boolean {
    return true;
  }

  @Option({ flags: '--no-wait', description: 'let the running server go on by itself' })
  parseNoWait(): boolean {
    return false;
  }
}

@SubCommand({
  name: 'pause',
  arguments: '<name>',
  argsDescription: { name: NAME },
  description: 'stop a projection where it is',
})
export class PauseCommand extends AnnalsCommand<CommonOptions & { readonly reason?: string }> {
  protected async execute(
    [name = '']: string[],
    { data, reason = 'by an operator' }: CommonOptions & { readonly reason?: string },
    terminal: Terminal,
  ): Promise<ExitCode> {
    return (await loadRun()).pauseProjection(findInstallation(data), terminal, name, reason);
  }

  @Option({ flags: '--reason <text>', description: 'shown to whoever asks why' })
  parseReason(text: string): string {
    return text;
  }
}

abstract class ChangeCommand extends AnnalsCommand {
  protected abstract readonly what: SimpleCommand;

  protected async execute([name = '']: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).changeProjection(findInstallation(data), terminal, name, this.what);
  }
}

@SubCommand({
  name: 'resume',
  arguments: '<name>',
  argsDescription: { name: NAME },
  description: 'go on after a pause, or with a rebuild that stopped at a bad fact',
})
export class ResumeCommand extends ChangeCommand {
  protected readonly what = 'resume';
}

@SubCommand({
  name: 'cancel',
  arguments: '<name>',
  argsDescription: { name: NAME },
  description: 'stop a rebuild and keep what it has done: "rebuild" goes on with it',
})
export class CancelCommand extends ChangeCommand {
  protected readonly what = 'cancel';
}

@SubCommand({
  name: 'switch',
  arguments: '<name>',
  argsDescription: { name: NAME },
  description: 'let the generation serve that was rebuilt with --by-hand',
})
export class SwitchCommand extends ChangeCommand {
  protected readonly what = 'switch';
}

@SubCommand({
  name: 'rollback',
  arguments: '<name>',
  argsDescription: { name: NAME },
  description: 'let the generation serve again that served before',
})
export class RollbackCommand extends ChangeCommand {
  protected readonly what = 'rollback';
}

@Command({
  name: 'projections',
  description: 'look after the views: list, rebuild, pause, switch, roll back',
  subCommands: [
    ListProjectionsCommand,
    ProjectionStatusCommand,
    RebuildCommand,
    PauseCommand,
    ResumeCommand,
    CancelCommand,
    SwitchCommand,
    RollbackCommand,
    DeadLettersCommand,
    ChecksumCommand,
  ],
})
export class ProjectionsCommand extends GroupCommand {}
