import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { JsonValue } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { decideChangedVersion } from '../decide/backup-versions.js';
import { KeyBackups } from '../key-backups.js';

/** Gives a version of the requester's key backup other auth data. Throws M_NOT_FOUND, M_INVALID_PARAM (another algorithm), M_TOO_LARGE. */
export class ChangeBackupVersion extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly version: string,
    readonly algorithm: string,
    readonly authData: JsonValue,
  ) {
    super();
  }
}

@CommandHandler(ChangeBackupVersion)
export class ChangeBackupVersionHandler implements ICommandHandler<ChangeBackupVersion> {
  constructor(private readonly backups: KeyBackups) {}

  async execute({ requester, version, algorithm, authData }: ChangeBackupVersion): Promise<void> {
    await this.backups.changeVersions(requester, (before) =>
      decideChangedVersion(before, version, algorithm, authData),
    );
  }
}
