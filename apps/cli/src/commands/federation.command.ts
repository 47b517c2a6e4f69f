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
  arguments: '[server] [room]',
  argsDescription: {
    server: 'the name of another server, or the id of an event; without one: this server, as others see it',
    room: 'of an event: the room in which it is looked for, or an alias of it',
  },
  description:
    'how a server is found and spoken to, step by step, and what was refused of it; or what became of an event',
})
export class FederationCommand extends AnnalsCommand<FederationOptions> {
  protected async execute([server, room]: string[], options: FederationOptions, terminal: Terminal): Promise<ExitCode> {
    const { runFederation } = await import('../federation/run-federation.js');
    return runFederation(findInstallation(options.data), terminal, server, { json: options.json === true, room });
  }

  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }
}
