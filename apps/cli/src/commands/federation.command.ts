import { Command, Option } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions } from './annals-command.js';

interface FederationOptions extends CommonOptions {
  readonly json?: boolean;
}

@Command({
  name: 'federation',
  arguments: '[server]',
  argsDescription: { server: 'the name of another server; without one: this server, as others see it' },
  description: 'how a server is found and spoken to, step by step',
})
export class FederationCommand extends AnnalsCommand<FederationOptions> {
  protected async execute([server]: string[], options: FederationOptions, terminal: Terminal): Promise<ExitCode> {
    const { runFederation } = await import('../federation/run-federation.js');
    return runFederation(findInstallation(options.data), terminal, server, { json: options.json === true });
  }

  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }
}
