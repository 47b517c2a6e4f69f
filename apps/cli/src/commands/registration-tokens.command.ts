import { Command, Option, SubCommand } from 'nest-commander';
import { CliFailure, type ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';
import { parseMoment } from './parse-moment.js';
import { parseNumber } from './parse-number.js';

const loadRun = () => import('../registration-tokens/run-registration-tokens.js');

const TOKEN = { token: 'the token, or what "annals registration-tokens list" calls it' };

interface ListOptions extends CommonOptions {
  readonly json?: boolean;
  readonly valid?: boolean;
}

@SubCommand({ name: 'list', description: 'the tokens by which people register, and how often they were used' })
export class ListTokensCommand extends AnnalsCommand<ListOptions> {
  protected async execute(_: string[], options: ListOptions, terminal: Terminal): Promise<ExitCode> {
    const { data, json = false, valid = false } = options;
    return (await loadRun()).listTokens(findInstallation(data), terminal, { json, onlyValid: valid });
  }

  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }

  @Option({ flags: '--valid', description: 'only those that let somebody register now' })
  parseValid(): boolean {
    return true;
  }
}

interface LimitOptions extends CommonOptions {
  readonly uses?: number;
  readonly expires?: number;
}

/** What limits a token. */
abstract class LimitsCommand<O extends LimitOptions> extends AnnalsCommand<O> {
  @Option({ flags: '--uses <number>', description: 'for so many accounts' })
  parseUses(text: string): number {
    return parseNumber('--uses', text);
  }

  @Option({ flags: '--expires <moment>', description: 'up to this moment: 2026-11-02, or 2026-11-02T08:00Z' })
  parseExpires(text: string): number {
    return parseMoment('--expires', text);
  }
}

@SubCommand({
  name: 'create',
  arguments: '[token]',
  argsDescription: { token: 'letters, digits and ._~- (else one is made up)' },
  description: 'make a token, for as many accounts as there come and for ever unless an option says otherwise',
})
export class CreateTokenCommand extends LimitsCommand<LimitOptions> {
  protected async execute([token]: string[], options: LimitOptions, terminal: Terminal): Promise<ExitCode> {
    const { data, uses, expires } = options;
    return (await loadRun()).createToken(findInstallation(data), terminal, token, { uses, expiresAt: expires });
  }
}

interface UpdateOptions extends LimitOptions {
  readonly unlimited?: boolean;
  readonly never?: boolean;
}

@SubCommand({ name: 'update', arguments: '<token>', argsDescription: TOKEN, description: 'give a token other limits' })
export class UpdateTokenCommand extends LimitsCommand<UpdateOptions> {
  protected async execute([token = '']: string[], options: UpdateOptions, terminal: Terminal): Promise<ExitCode> {
    const { data, uses, expires, unlimited, never } = options;
    if (uses !== undefined && unlimited === true) throw new CliFailure('--uses and --unlimited: only one of them');
    if (expires !== undefined && never === true) throw new CliFailure('--expires and --never: only one of them');
    const change = {
      uses: unlimited === true ? null : uses,
      expiresAt: never === true ? null : expires,
    };
    if (change.uses === undefined && change.expiresAt === undefined) {
      throw new CliFailure('one of --uses, --unlimited, --expires and --never is needed');
    }
    return (await loadRun()).updateToken(findInstallation(data), terminal, token, change);
  }

  @Option({ flags: '--unlimited', description: 'for as many accounts as there come' })
  parseUnlimited(): boolean {
    return true;
  }

  @Option({ flags: '--never', description: 'it does not expire' })
  parseNever(): boolean {
    return true;
  }
}

@SubCommand({ name: 'delete', arguments: '<token>', argsDescription: TOKEN, description: 'withdraw a token' })
export class DeleteTokenCommand extends AnnalsCommand {
  protected async execute([token = '']: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).deleteToken(findInstallation(data), terminal, token);
  }
}

@Command({
  name: 'registration-tokens',
  description: 'look after the tokens by which people register',
  subCommands: [ListTokensCommand, CreateTokenCommand, UpdateTokenCommand, DeleteTokenCommand],
})
export class RegistrationTokensCommand extends GroupCommand {}
