import { Command, Option } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions } from './annals-command.js';

interface VerifyOptions extends CommonOptions {
  readonly json?: boolean;
}

@Command({
  name: 'verify',
  description: 'check the whole log: chains, hashes, signatures, authorisation and state of every room',
})
export class VerifyCommand extends AnnalsCommand<VerifyOptions> {
  protected async execute(
    _: string[],
    options: VerifyOptions,
    terminal: Terminal,
    signal: AbortSignal,
  ): Promise<ExitCode> {
    const { runVerify } = await import('../verify/run-verify.js');
    return runVerify(findInstallation(options.data), terminal, { json: options.json === true, signal });
  }

  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }
}
