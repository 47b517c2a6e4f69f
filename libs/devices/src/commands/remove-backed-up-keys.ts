import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { BackupState, SessionsRemoved } from '../facts/backup-facts.js';
import { KeyBackups } from '../key-backups.js';
import { BACKED_UP, backupKey } from '../projections/key-backup.projector.js';

/** Which keys of a backup: all, those of a room, or that of a session. */
export type BackupScope =
  | { readonly roomId?: undefined; readonly sessionId?: undefined }
  | { readonly roomId: RoomId; readonly sessionId?: string };

/** Removes keys from a version of the requester's backup, and answers how many there are then. Throws M_NOT_FOUND, ViewsUnavailable. */
export class RemoveBackedUpKeys extends Command<BackupState> {
  constructor(
    readonly requester: Requester,
    readonly version: string,
    readonly scope: BackupScope,
  ) {
    super();
  }
}

/** So many sessions one fact names. */
const AT_ONCE = 400;

@CommandHandler(RemoveBackedUpKeys)
export class RemoveBackedUpKeysHandler implements ICommandHandler<RemoveBackedUpKeys> {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly backups: KeyBackups,
  ) {}

  execute({ requester, version, scope }: RemoveBackedUpKeys): Promise<BackupState> {
    const decide = (state: BackupState, etag: number) =>
      this.#decide(requester.userId, version, scope, { count: state.count, etag });
    return this.backups.change(requester, version, { mustBeCurrent: false, decide });
  }

  async #decide(
    userId: UserId,
    version: string,
    { roomId, sessionId }: BackupScope,
    { count, etag }: BackupState,
  ): Promise<{ type: string; data: SessionsRemoved }[]> {
    const backup = backupKey(userId, version);
    if (sessionId !== undefined) {
      if (!(await BACKED_UP.has(this.views, [...backup, roomId, sessionId]))) return [];
      const data = { sessions: { [roomId]: [sessionId] }, count: count - 1, etag };
      return [{ type: 'sessions-removed', data }];
    }
    const prefix = roomId === undefined ? backup : ([...backup, roomId] as const);
    const facts: { type: string; data: SessionsRemoved }[] = [];
    for await (const page of BACKED_UP.pages(this.views, { prefix }, AT_ONCE)) {
      const sessions: Record<RoomId, string[]> = {};
      for (const { key } of page) (sessions[key[2]] ??= []).push(key[3]);
      count -= page.length;
      facts.push({ type: 'sessions-removed', data: { sessions, count, etag } });
    }
    return facts;
  }
}
