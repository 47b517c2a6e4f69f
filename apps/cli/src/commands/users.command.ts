import { Command, Option, SubCommand } from 'nest-commander';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { CliFailure, type ExitCode } from '../failure.js';
import { EraseUserCommand } from './erasures.command.js';
import { LOCAL_USER } from './local-user.js';
import { parseNumber } from './parse-number.js';
import { PasswordCommand, type PasswordOptions } from './password-command.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';

const loadRun = () => import('../users/run-users.js');

const NAME = { name: LOCAL_USER };

interface CreateOptions extends PasswordOptions {
  readonly admin?: boolean;
}

@SubCommand({ name: 'create', arguments: '<name>', argsDescription: NAME, description: 'make an account' })
export class CreateUserCommand extends PasswordCommand<CreateOptions> {
  protected async execute([name = '']: string[], options: CreateOptions, terminal: Terminal): Promise<ExitCode> {
    const installation = findInstallation(options.data);
    const chosen = await this.choosePassword(options);
    return (await loadRun()).createUser(installation, terminal, name, chosen, options.admin === true);
  }

  @Option({ flags: '--admin', description: 'let the user administer this server' })
  parseAdmin(): boolean {
    return true;
  }
}

interface ResetOptions extends PasswordOptions {
  readonly keepSessions?: boolean;
}

@SubCommand({ name: 'reset-password', arguments: '<name>', argsDescription: NAME, description: 'set a new password' })
export class ResetPasswordCommand extends PasswordCommand<ResetOptions> {
  protected async execute([name = '']: string[], options: ResetOptions, terminal: Terminal): Promise<ExitCode> {
    const installation = findInstallation(options.data);
    const chosen = await this.choosePassword(options);
    return (await loadRun()).resetPassword(installation, terminal, name, chosen, options.keepSessions === true);
  }

  @Option({ flags: '--keep-sessions', description: 'do not end the sessions of the user' })
  parseKeepSessions(): boolean {
    return true;
  }
}

interface DeactivateOptions extends CommonOptions {
  readonly erase?: boolean;
}

@SubCommand({
  name: 'deactivate',
  arguments: '<name>',
  argsDescription: NAME,
  description: 'end an account: the sessions, the password, the membership of rooms',
})
export class DeactivateUserCommand extends AnnalsCommand<DeactivateOptions> {
  protected async execute([name = '']: string[], options: DeactivateOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).deactivateUser(findInstallation(options.data), terminal, name, options.erase === true);
  }

  @Option({ flags: '--erase', description: 'let go of what was kept of them and what they uploaded as well' })
  parseErase(): boolean {
    return true;
  }
}

interface ReopenOptions extends PasswordOptions {
  readonly withoutPassword?: boolean;
}

@SubCommand({
  name: 'reopen',
  arguments: '<name>',
  argsDescription: NAME,
  description: 'let a deactivated account be used again; what had gone with it stays gone',
})
export class ReopenUserCommand extends PasswordCommand<ReopenOptions> {
  protected async execute([name = '']: string[], options: ReopenOptions, terminal: Terminal): Promise<ExitCode> {
    const { withoutPassword, passwordStdin, generatePassword } = options;
    if (withoutPassword === true && (passwordStdin === true || generatePassword === true))
      throw new CliFailure('--without-password goes with no password');
    const installation = findInstallation(options.data);
    const chosen = withoutPassword === true ? undefined : await this.choosePassword(options);
    return (await loadRun()).reopenUser(installation, terminal, name, chosen);
  }

  @Option({
    flags: '--without-password',
    description: 'for who comes in by another service, or belongs to an application service',
  })
  parseWithoutPassword(): boolean {
    return true;
  }
}

interface MakeAdminOptions extends CommonOptions {
  readonly revoke?: boolean;
}

@SubCommand({
  name: 'make-admin',
  arguments: '<name>',
  argsDescription: NAME,
  description: 'let a user administer this server',
})
export class MakeAdminCommand extends AnnalsCommand<MakeAdminOptions> {
  protected async execute([name = '']: string[], options: MakeAdminOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).setAdmin(findInstallation(options.data), terminal, name, options.revoke !== true);
  }

  @Option({ flags: '--revoke', description: 'take it away instead' })
  parseRevoke(): boolean {
    return true;
  }
}

interface RestrictOptions extends CommonOptions {
  readonly lift?: boolean;
}

/** What an account may be, and again not be. */
abstract class RestrictCommand extends AnnalsCommand<RestrictOptions> {
  protected abstract readonly restriction: 'locked' | 'suspended';

  protected async execute([name = '']: string[], { data, lift }: RestrictOptions, terminal: Terminal) {
    const { restrictUser } = await loadRun();
    return restrictUser(findInstallation(data), terminal, name, this.restriction, lift !== true);
  }

  @Option({ flags: '--lift', description: 'end it instead' })
  parseLift(): boolean {
    return true;
  }
}

@SubCommand({
  name: 'lock',
  arguments: '<name>',
  argsDescription: NAME,
  description: 'keep everybody from using an account; its sessions stay, for when that is lifted',
})
export class LockUserCommand extends RestrictCommand {
  protected readonly restriction = 'locked';
}

@SubCommand({
  name: 'suspend',
  arguments: '<name>',
  argsDescription: NAME,
  description: 'let a user read, leave rooms and redact, and do nothing else that others see',
})
export class SuspendUserCommand extends RestrictCommand {
  protected readonly restriction = 'suspended';
}

interface RateLimitOptions extends CommonOptions {
  readonly perSecond?: number;
  readonly burst?: number;
  readonly none?: boolean;
  readonly restore?: boolean;
}

@SubCommand({
  name: 'rate-limit',
  arguments: '<name>',
  argsDescription: NAME,
  description: 'set how much a user may ask for, in place of the limits of everybody',
})
export class RateLimitCommand extends AnnalsCommand<RateLimitOptions> {
  protected async execute([name = '']: string[], options: RateLimitOptions, terminal: Terminal): Promise<ExitCode> {
    const { perSecond, burst, none, restore, data } = options;
    if ([perSecond !== undefined, none === true, restore === true].filter(Boolean).length !== 1)
      throw new CliFailure('one of --per-second, --none and --restore is needed');
    if (perSecond === 0) throw new CliFailure('--per-second: at least 1; --none lifts the limit');
    if (burst !== undefined && perSecond === undefined) throw new CliFailure('--burst goes with --per-second');
    const limit = none === true ? { per_second: 0, burst: 0 } : undefined;
    const set = perSecond === undefined ? limit : { per_second: perSecond, burst: burst ?? perSecond };
    return (await loadRun()).setRateLimit(findInstallation(data), terminal, name, set);
  }

  @Option({ flags: '--per-second <number>', description: 'so many requests a second in the long run' })
  parsePerSecond(text: string): number {
    return parseNumber('--per-second', text);
  }

  @Option({ flags: '--burst <number>', description: 'so many at once; else as many as in a second' })
  parseBurst(text: string): number {
    return parseNumber('--burst', text);
  }

  @Option({ flags: '--none', description: 'no limit' })
  parseNone(): boolean {
    return true;
  }

  @Option({ flags: '--restore', description: 'the limits of everybody' })
  parseRestore(): boolean {
    return true;
  }
}

interface ListOptions extends CommonOptions {
  readonly json?: boolean;
}

@SubCommand({ name: 'list', description: 'who has an account here' })
export class ListUsersCommand extends AnnalsCommand<ListOptions> {
  protected async execute(_: string[], options: ListOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).listUsers(findInstallation(options.data), terminal, { json: options.json === true });
  }

  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }
}

interface ExportOptions extends CommonOptions {
  readonly to?: string;
}

@SubCommand({
  name: 'export',
  arguments: '<name>',
  argsDescription: NAME,
  description: 'hand over what this server has of a user: pages to read, JSON, and their files',
})
export class ExportUserCommand extends AnnalsCommand<ExportOptions> {
  protected async execute(
    [name = '']: string[],
    { data, to }: ExportOptions,
    terminal: Terminal,
    signal: AbortSignal,
  ): Promise<ExitCode> {
    const { exportUser } = await import('../users/run-export.js');
    return exportUser(findInstallation(data), terminal, name, to, signal);
  }

  @Option({ flags: '--to <folder>', description: 'a folder that is not there yet; else one in this folder' })
  parseTo(text: string): string {
    return text;
  }
}

@Command({
  name: 'users',
  description: 'look after the accounts of this server',
  subCommands: [
    CreateUserCommand,
    ResetPasswordCommand,
    DeactivateUserCommand,
    ReopenUserCommand,
    EraseUserCommand,
    LockUserCommand,
    SuspendUserCommand,
    RateLimitCommand,
    MakeAdminCommand,
    ListUsersCommand,
    ExportUserCommand,
  ],
})
export class UsersCommand extends GroupCommand {}
