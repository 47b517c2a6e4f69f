import { Command, Option, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';
import { LOCAL_USER } from './local-user.js';

const loadRun = () => import('../notices/run-notices.js');

interface ToOptions extends CommonOptions {
  readonly to?: string;
  readonly all?: boolean;
}

/** A command that tells users something. */
abstract class NoticeCommand<O extends ToOptions> extends AnnalsCommand<O> {
  @Option({ flags: '--to <user>', description: LOCAL_USER })
  parseTo(user: string): string {
    return user;
  }

  @Option({ flags: '--all', description: 'everybody who has an account, but for guests' })
  parseAll(): boolean {
    return true;
  }
}

interface SendOptions extends ToOptions {
  readonly usageLimit?: boolean;
}

@SubCommand({
  name: 'send',
  arguments: '<text>',
  argsDescription: { text: 'what they are told' },
  description: 'tell users something in the name of the server',
})
export class SendNoticeCommand extends NoticeCommand<SendOptions> {
  protected async execute([text = '']: string[], options: SendOptions, terminal: Terminal): Promise<ExitCode> {
    const { data, to, all = false, usageLimit = false } = options;
    const thing = { kind: usageLimit ? 'limit' : 'send', text } as const;
    return (await loadRun()).tellUsers(findInstallation(data), terminal, { user: to, all }, thing);
  }

  @Option({
    flags: '--usage-limit',
    description: 'it is that a limit of use is reached: clients show it until it is lifted',
  })
  parseUsageLimit(): boolean {
    return true;
  }
}

@SubCommand({ name: 'lift', description: 'have clients show no more that a limit of use is reached' })
export class LiftNoticesCommand extends NoticeCommand<ToOptions> {
  protected async execute(_: string[], { data, to, all = false }: ToOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).tellUsers(findInstallation(data), terminal, { user: to, all }, { kind: 'lift' });
  }
}

@Command({
  name: 'notices',
  description: 'tell users something in the name of the server',
  subCommands: [SendNoticeCommand, LiftNoticesCommand],
})
export class NoticesCommand extends GroupCommand {}
