import { Command, Option } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions } from './annals-command.js';
import { parseNumber } from './parse-number.js';

interface AuditOptions extends CommonOptions {
  readonly at?: string;
  readonly from?: string;
  readonly to?: string;
  readonly json?: boolean;
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
    { data, at, from, to, json }: AuditOptions,
    terminal: Terminal,
    signal: AbortSignal,
  ): Promise<ExitCode> {
    const numbers = {
      at: at === undefined ? undefined : parseNumber('--at', at),
      from: from === undefined ? undefined : parseNumber('--from', from),
      to: to === undefined ? undefined : parseNumber('--to', to),
    };
    const { runAudit } = await import('../audit/run-audit.js');
    return runAudit(findInstallation(data), terminal, { room, ...numbers, json: json === true, signal });
  }

  @Option({ flags: '--at <revision>', description: 'print the state of the room after this revision instead' })
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

  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }
}
