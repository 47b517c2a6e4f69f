import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { JsonValue } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { decideNewVersion } from '../decide/backup-versions.js';
import { KeyBackups } from '../key-backups.js';

/** Makes a new version of the requester's key backup and answers its name. Throws M_INVALID_PARAM, M_TOO_LARGE. */
export class CreateBackupVersion extends Command<string> {
  constructor(
    readonly requester: Requester,
    readonly algorithm: string,
    readonly authData: JsonValue,
  ) {
    super();
  }
}

@CommandHandler(CreateBackupVersion)
export class CreateBackupVersionHandler implements ICommandHandler<CreateBackupVersion> {
  constructor(private readonly backups: KeyBackups) {}

  async execute({ requester, algorithm, authData }: CreateBackupVersion): Promise<string> {
    const { last } = await this.backups.changeVersions(requester, (_, next) =>
      decideNewVersion(next, algorithm, authData),
    );
    return String(last);
  }
}
