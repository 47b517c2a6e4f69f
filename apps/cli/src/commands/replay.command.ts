import { Command, Option } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions } from './annals-command.js';

interface ReplayCommandOptions extends CommonOptions {
  readonly json?: boolean;
  readonly checksums?: boolean;
}

@Command({
  name: 'replay',
  description: 'rebuild all projections from the log and compare them with what they replace',
})
export class ReplayCommand extends AnnalsCommand<ReplayCommandOptions> {
  protected async execute(
    _: string[],
    { data, json = false, checksums = false }: ReplayCommandOptions,
    terminal: Terminal,
    signal: AbortSignal,
  ): Promise<ExitCode> {
    const { runReplay } = await import('../replay/run-replay.js');
    return runReplay(findInstallation(data), terminal, { json, checksums, signal });
  }

  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }

  @Option({ flags: '--checksums', description: 'print the checksum of every collection' })
  parseChecksums(): boolean {
    return true;
  }
}
