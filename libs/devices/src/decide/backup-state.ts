import type { NewFact } from '#event-store/event-store';
import type { BackupState } from '../facts/backup-facts.js';

export const EMPTY_BACKUP: BackupState = Object.freeze({ count: 0, etag: 0 });

/** What a version of a backup is as of a fact of its stream: of these only the last counts. */
export function foldBackup(_before: BackupState, { data }: Pick<NewFact, 'data'>): BackupState {
  const { count, etag } = JSON.parse(data) as BackupState; // all facts of these streams have both
  return { count, etag };
}
