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

@SubCommand({
  name: 'rotate',
  description: 'go on with a new signing key; the one before stays in keys/, and what it has signed stays good',
})
export class RotateKeyCommand extends AnnalsCommand {
  protected async execute(_: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    const { rotateKey } = await import('../keys/rotate-key.js');
    return rotateKey(findInstallation(data), terminal);
  }
}

@Command({
  name: 'keys',
  description: 'look after the keys that this server signs with',
  subCommands: [AcceptKeyCommand, RotateKeyCommand],
})
export class KeysCommand extends GroupCommand {}
