import { Command, Option } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions } from './annals-command.js';

interface BackupOptions extends CommonOptions {
  readonly withoutMedia?: boolean;
}

@Command({
  name: 'backup',
  arguments: '<folder>',
  argsDescription: { folder: 'where to: an empty folder, or one that is not there yet' },
  description: 'copy the log, the keys and the content of media into a folder, also while the server runs',
})
export class BackupCommand extends AnnalsCommand<BackupOptions> {
  protected async execute([folder = '']: string[], options: BackupOptions, terminal: Terminal): Promise<ExitCode> {
    const { runBackup } = await import('../backup/run-backup.js');
    const withoutMedia = options.withoutMedia === true;
    return runBackup(findInstallation(options.data), terminal, folder, { withoutMedia });
  }

  @Option({ flags: '--without-media', description: 'leave the content of media to other means' })
  parseWithoutMedia(): boolean {
    return true;
  }
}

interface RestoreOptions extends CommonOptions {
  readonly replace?: boolean;
}

@Command({
  name: 'restore',
  arguments: '<folder>',
  argsDescription: { folder: 'a backup, as "annals backup" made it' },
  description: 'make of a backup the data of this server, which must not run',
})
export class RestoreCommand extends AnnalsCommand<RestoreOptions> {
  protected async execute([folder = '']: string[], options: RestoreOptions, terminal: Terminal): Promise<ExitCode> {
    const { runRestore } = await import('../backup/run-restore.js');
    return runRestore(findInstallation(options.data), terminal, folder, { replace: options.replace === true });
  }

  @Option({ flags: '--replace', description: 'take the place of what is in the data folder, which is kept beside' })
  parseReplace(): boolean {
    return true;
  }
}
