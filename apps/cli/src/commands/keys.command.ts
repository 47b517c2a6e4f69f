import { Command, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';

@SubCommand({
  name: 'accept',
  description: 'go on with the signing key in keys/, made anew where there is none, though the log knows another',
})
export class AcceptKeyCommand extends AnnalsCommand {
  protected async execute(_: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    const { acceptKey } = await import('../keys/accept-key.js');
    return acceptKey(findInstallation(data), terminal);
  }
}

@Command({
  name: 'keys',
  description: 'look after the keys that this server signs with',
  subCommands: [AcceptKeyCommand],
})
export class KeysCommand extends GroupCommand {}
