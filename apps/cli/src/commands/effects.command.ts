import { Command, Option, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';

const loadRun = () => import('../effects/run-effects.js');

const NAME = 'the name of the effect, as "annals effects list" shows it';
const FACT = 'the id of one fact, as "annals effects dead-letters" shows it; without it all of the effect';

interface ReadOptions extends CommonOptions {
  readonly json?: boolean;
}

abstract class LookCommand extends AnnalsCommand<ReadOptions> {
  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }
}

@SubCommand({ name: 'list', description: 'how every effect does' })
export class ListEffectsCommand extends LookCommand {
  protected async execute(_: string[], { data, json = false }: ReadOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).listEffects(findInstallation(data), terminal, { json });
  }
}

@SubCommand({
  name: 'dead-letters',
  arguments: '[name]',
  argsDescription: { name: NAME },
  description: 'the facts whose effect was given up; exit code 1 where there are any',
})
export class EffectLettersCommand extends LookCommand {
  protected async execute(
    [name]: string[],
    { data, json = false }: ReadOptions,
    terminal: Terminal,
  ): Promise<ExitCode> {
    return (await loadRun()).listEffectLetters(findInstallation(data), terminal, name, { json });
  }
}

abstract class SettleCommand extends AnnalsCommand {
  protected abstract readonly what: 'retry' | 'drop';

  protected async execute(
    [effect = '', fact]: string[],
    { data }: CommonOptions,
    terminal: Terminal,
  ): Promise<ExitCode> {
    return (await loadRun()).settleEffectLetters(findInstallation(data), terminal, this.what, { effect, fact });
  }
}

@SubCommand({
  name: 'retry',
  arguments: '<name> [fact]',
  argsDescription: { name: NAME, fact: FACT },
  description: 'try again what was given up',
})
export class RetryEffectCommand extends SettleCommand {
  protected readonly what = 'retry';
}

@SubCommand({
  name: 'drop',
  arguments: '<name> [fact]',
  argsDescription: { name: NAME, fact: FACT },
  description: 'forget what was given up: it never happens',
})
export class DropEffectCommand extends SettleCommand {
  protected readonly what = 'drop';
}

@Command({
  name: 'effects',
  description: 'look after what follows from facts: list, dead letters, retry, drop',
  subCommands: [ListEffectsCommand, EffectLettersCommand, RetryEffectCommand, DropEffectCommand],
})
export class EffectsCommand extends GroupCommand {}
