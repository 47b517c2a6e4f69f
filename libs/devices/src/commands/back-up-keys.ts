import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { isBetter } from '../decide/better-session.js';
import type { BackedUpRooms, BackupState, SessionBackedUp } from '../facts/backup-facts.js';
import { KeyBackups } from '../key-backups.js';
import { BACKED_UP, backupKey } from '../projections/key-backup.projector.js';

/**
 * Puts keys of sessions into the current version of the requester's backup, but for those of which a better one is there, and answers how
 * many there are then. Throws M_NOT_FOUND, M_WRONG_ROOM_KEYS_VERSION, ViewsUnavailable.
 */
export class BackUpKeys extends Command<BackupState> {
  constructor(
    readonly requester: Requester,
    readonly version: string,
    readonly rooms: BackedUpRooms,
  ) {
    super();
  }
}

@CommandHandler(BackUpKeys)
export class BackUpKeysHandler implements ICommandHandler<BackUpKeys> {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly backups: KeyBackups,
  ) {}

  execute({ requester, version, rooms }: BackUpKeys): Promise<BackupState> {
    const decide = (state: BackupState, etag: number) =>
      this.#decide(requester, version, rooms, { count: state.count, etag });
    return this.backups.change(requester, version, { mustBeCurrent: true, decide });
  }

  async #decide(
    { userId }: Requester,
    version: string,
    rooms: BackedUpRooms,
    { count, etag }: BackupState,
  ): Promise<{ type: string; data: SessionBackedUp }[]> {
    const named = [...rooms].flatMap(([roomId, sessions]) =>
      [...sessions].map(([sessionId, session]) => ({ room_id: roomId, session_id: sessionId, ...session })),
    );
    const backup = backupKey(userId, version);
    const keys = named.map(({ room_id: roomId, session_id: sessionId }) => [...backup, roomId, sessionId] as const);
    const there = await BACKED_UP.getMany(this.views, keys);
    return named.flatMap((session, i) => {
      const before = there[i];
      if (before !== undefined && !isBetter(session, before)) return [];
      if (before === undefined) count++;
      return [{ type: 'session-backed-up', data: { ...session, count, etag } }];
    });
  }
}
