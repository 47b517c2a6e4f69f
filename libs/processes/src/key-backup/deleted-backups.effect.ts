import { Injectable } from '@nestjs/common';
import { KeyBackups } from '#devices/key-backups';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { userIdOfStream } from '#kernel/user-stream';

const ENDS: ReadonlySet<string> = new Set(['backup-version-deleted', 'account-deactivated']);

/** Lets the keys go from the log that were in a backup which was deleted, or whose account was closed. */
@Injectable()
export class DeletedBackups implements Effect {
  readonly name = 'deleted-backups';
  readonly fromStart = true;

  constructor(private readonly backups: KeyBackups) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return ENDS.has(type) ? stream : undefined;
  }

  run({ stream }: RecordedFact): Promise<boolean> {
    return this.backups.free(userIdOfStream(stream));
  }
}
