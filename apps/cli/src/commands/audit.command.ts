import { Command, Option } from 'nest-commander';
import type { EventId } from '#kernel/ids';
import type { Moment } from '#rooms/audit/state-at';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import { pagedTerminal } from '../terminal/pager.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions } from './annals-command.js';
import { parseMoment } from './parse-moment.js';
import { parseNumber } from './parse-number.js';

interface AuditOptions extends CommonOptions {
  readonly at?: string;
  readonly from?: string;
  readonly to?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: string;
  readonly messages?: boolean;
  readonly verbose?: boolean;
  readonly json?: boolean;
  readonly html?: string;
  readonly force?: boolean;
  /** False with `--no-pager`. */
  readonly pager?: boolean;
}

@Command({
  name: 'audit',
  arguments: '<room>',
  argsDescription: { room: 'a room id, or an alias of this server' },
  description: 'tell the history of a room: who did what, when, from which device, with which effect on its state',
})
export class AuditCommand extends AnnalsCommand<AuditOptions> {
  protected async execute(
    [room = '']: string[],
    { data, pager, ...told }: AuditOptions,
    terminal: Terminal,
    signal: AbortSignal,
  ): Promise<ExitCode> {
    const options = {
      room,
      at: told.at === undefined ? undefined : placeOf(told.at),
      from: numberOf('--from', told.from),
      to: numberOf('--to', told.to),
      limit: numberOf('--limit', told.limit),
      since: momentOf('--since', told.since),
      until: momentOf('--until', told.until),
      messages: told.messages === true,
      verbose: told.verbose === true,
      json: told.json === true,
      html: told.html,
      force: told.force === true,
      signal,
    };
    const { runAudit } = await import('../audit/run-audit.js');
    const installation = findInstallation(data);
    if (pager === false || options.html !== undefined) return runAudit(installation, terminal, options);
    const paged = pagedTerminal(terminal);
    try {
      return await runAudit(installation, paged, options);
    } finally {
      await paged.close();
    }
  }

  @Option({
    flags: '--at <moment>',
    description: 'print the state of the room instead: after a revision, after an event ($…), or before a moment',
  })
  parseAt(text: string): string {
    return text;
  }

  @Option({ flags: '--from <revision>', description: 'begin with this revision' })
  parseFrom(text: string): string {
    return text;
  }

  @Option({ flags: '--to <revision>', description: 'end with this revision' })
  parseTo(text: string): string {
    return text;
  }

  @Option({ flags: '--since <moment>', description: 'begin with this moment: 2026-11-02, or 2026-11-02T08:00Z' })
  parseSince(text: string): string {
    return text;
  }

  @Option({ flags: '--until <moment>', description: 'end before this moment' })
  parseUntil(text: string): string {
    return text;
  }

  @Option({ flags: '--limit <number>', description: 'the last so many entries' })
  parseLimit(text: string): string {
    return text;
  }

  @Option({ flags: '--messages', description: 'tell the texts of messages too' })
  parseMessages(): boolean {
    return true;
  }

  @Option({ flags: '--verbose', description: 'tell event ids and the effect on the state too' })
  parseVerbose(): boolean {
    return true;
  }

  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }

  @Option({ flags: '--html <file>', description: 'write a page instead: timeline, state at each moment, verification' })
  parseHtml(file: string): string {
    return file;
  }

  @Option({ flags: '--force', description: 'write over a file that is there' })
  parseForce(): boolean {
    return true;
  }

  @Option({ flags: '--no-pager', description: 'do not show it page by page' })
  parsePager(): boolean {
    return false;
  }
}

function numberOf(name: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseNumber(name, text);
}

function momentOf(name: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseMoment(name, text);
}

/** What `--at` names: a revision, an event or a moment. */
function placeOf(text: string): Moment {
  if (text.startsWith('$')) return { eventId: text as EventId };
  return text.includes('-') ? { before: parseMoment('--at', text) } : { revision: parseNumber('--at', text) };
}
