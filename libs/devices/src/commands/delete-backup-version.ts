import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Requester } from '#kernel/requester';
import { decideDeletedVersion } from '../decide/backup-versions.js';
import { KeyBackups } from '../key-backups.js';

/** Deletes a version of the requester's key backup with all keys in it; one that was deleted before is no error. Throws M_NOT_FOUND. */
export class DeleteBackupVersion extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly version: string,
  ) {
    super();
  }
}

@CommandHandler(DeleteBackupVersion)
export class DeleteBackupVersionHandler implements ICommandHandler<DeleteBackupVersion> {
  constructor(private readonly backups: KeyBackups) {}

  async execute({ requester, version }: DeleteBackupVersion): Promise<void> {
    await this.backups.changeVersions(requester, (before) => decideDeletedVersion(before, version));
  }
}
