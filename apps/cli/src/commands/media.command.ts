import { Command, Option, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';
import { parseNumber } from './parse-number.js';

const loadRun = () => import('../media/run-media.js');

const URI = { uri: 'of the medium: mxc://example.org/…' };
const CONTENT = { content: 'the mxc:// URI of a medium that has it, or the sha256 of the content' };

interface ShowOptions extends CommonOptions {
  readonly json?: boolean;
}

@SubCommand({ name: 'show', arguments: '<uri>', argsDescription: URI, description: 'what is known of a medium' })
export class ShowMediaCommand extends AnnalsCommand<ShowOptions> {
  protected async execute([uri = '']: string[], options: ShowOptions, terminal: Terminal): Promise<ExitCode> {
    const json = options.json === true;
    return (await loadRun()).showMedia(findInstallation(options.data), terminal, uri, { json });
  }

  @Option({ flags: '--json', description: 'one JSON object' })
  parseJson(): boolean {
    return true;
  }
}

@SubCommand({
  name: 'list',
  arguments: '[user]',
  argsDescription: { user: '@alice:example.org: what they have uploaded; without it, who has uploaded how much' },
  description: 'list what users have uploaded',
})
export class ListMediaCommand extends AnnalsCommand {
  protected async execute([user]: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).listMedia(findInstallation(data), terminal, user);
  }
}

@SubCommand({ name: 'quarantined', description: 'list the content that is in quarantine' })
export class QuarantinedMediaCommand extends AnnalsCommand {
  protected async execute(_: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).listQuarantined(findInstallation(data), terminal);
  }
}

@SubCommand({
  name: 'delete',
  arguments: '<uri>',
  argsDescription: URI,
  description: 'delete a medium for ever, also one of another server, which is then never fetched again',
})
export class DeleteMediaCommand extends AnnalsCommand {
  protected async execute([uri = '']: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).deleteMedia(findInstallation(data), terminal, uri);
  }
}

interface QuarantineOptions extends CommonOptions {
  readonly reason?: string;
}

@SubCommand({
  name: 'quarantine',
  arguments: '<content>',
  argsDescription: CONTENT,
  description: 'give some content to nobody, under whatever URI, and take it from nobody; it is kept',
})
export class QuarantineMediaCommand extends AnnalsCommand<QuarantineOptions> {
  protected async execute([name = '']: string[], options: QuarantineOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).quarantineMedia(findInstallation(options.data), terminal, name, options.reason);
  }

  @Option({ flags: '--reason <text>', description: 'why, for who looks into it later' })
  parseReason(text: string): string {
    return text;
  }
}

@SubCommand({
  name: 'release',
  arguments: '<content>',
  argsDescription: CONTENT,
  description: 'give content out again that is in quarantine',
})
export class ReleaseMediaCommand extends AnnalsCommand {
  protected async execute([name = '']: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).releaseMedia(findInstallation(data), terminal, name);
  }
}

interface DropOptions extends CommonOptions {
  readonly days: number;
}

@SubCommand({
  name: 'drop-unseen',
  description: 'let media of other servers go for which nobody has asked lately',
})
export class DropUnseenCommand extends AnnalsCommand<DropOptions> {
  protected async execute(_: string[], { data, days }: DropOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).dropUnseenMedia(findInstallation(data), terminal, days);
  }

  @Option({ flags: '--days <count>', description: 'for how many days nobody has', required: true })
  parseDays(text: string): number {
    return parseNumber('--days', text);
  }
}

@Command({
  name: 'media',
  description: 'look after the media of this server',
  subCommands: [
    ShowMediaCommand,
    ListMediaCommand,
    DeleteMediaCommand,
    QuarantineMediaCommand,
    QuarantinedMediaCommand,
    ReleaseMediaCommand,
    DropUnseenCommand,
  ],
})
export class MediaCommand extends GroupCommand {}
