import { Inject, Injectable } from '@nestjs/common';
import { BY_SERVER, causeOf } from '#accounts/accounts';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { isLookDue } from '#event-store/shorten-stream';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { CacheNumbers } from '#kernel/lru-cache';
import type { Requester } from '#kernel/requester';
import { userStream } from '#kernel/user-stream';
import { awaitShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';
import { streamSnapshots } from '#read-models/stream-snapshots';
import { bytesInLog, inGroups, MOST_IN_A_WRITE } from '#rooms/facts/log-limits';
import { EMPTY_BACKUP, foldBackup } from './decide/backup-state.js';
import {
  backupVersionSnapshots,
  type BackupVersions,
  checkCurrent,
  checkStanding,
  foldBackupVersions,
  NO_VERSIONS,
} from './decide/backup-versions.js';
import { nextNumber } from './decide/next-number.js';
import { backupStream, type BackupState, type BackupVersionFact } from './facts/backup-facts.js';
import { BACKED_UP } from './projections/key-backup.projector.js';
import { sayBackupAgain } from './shorten-backup.js';

const CAPACITY = 2_000;
/** A backup's stream is shortened where more facts than so many count no more, and more than count. */
const OVERTAKEN = 256;

/** What is to become of the keys of a backup, decided upon the views as of its last change; `etag` is that of the next one. */
export type DecideBackup = (
  state: BackupState,
  etag: number,
) => Promise<readonly { type: string; data: BackupState }[]>;

/** Somebody else changed the backup while it was looked at. */
class BackupChanged extends Error {}

/** The write side of key backups: versions in the user's stream, and keys in a stream of each version. */
@Injectable()
export class KeyBackups {
  readonly #versions: Aggregates<BackupVersions>;
  readonly #backups: Aggregates<BackupState>;
  /** What is decided about the keys of a user waits for what was decided before it to show in the views. */
  readonly #turns = new KeyedQueue<UserId>();
  /** What waits for the views to go: meanwhile nothing is said again once more. */
  readonly #shortening = new Set<string>();

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(READ_MODEL_STORE) readModels: ReadModelStore,
  ) {
    const snapshots = { store: streamSnapshots(readModels, 'backup-versions'), codec: backupVersionSnapshots };
    const ofVersions = { initialState: NO_VERSIONS, evolve: foldBackupVersions, snapshots };
    this.#versions = new Aggregates({ store, clock, capacity: CAPACITY, ...ofVersions });
    const ofKeys = { initialState: EMPTY_BACKUP, evolve: foldBackup, newestOnly: true } as const;
    this.#backups = new Aggregates({ store, clock, capacity: CAPACITY, ...ofKeys });
  }

  /** For metrics. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return { 'backup-versions': this.#versions.numbers, 'key-backups': this.#backups.numbers };
  }

  /** The versions of a user's backup, as the log has them. */
  async versions(userId: UserId): Promise<BackupVersions> {
    return (await this.#versions.load(userStream(userId))).state;
  }

  /** Appends what `decide` answers, and settles once the views show it. Answers the versions then. Throws what `decide` throws. */
  async changeVersions(
    requester: Requester,
    decide: (versions: BackupVersions, next: number) => readonly BackupVersionFact[],
  ): Promise<BackupVersions> {
    const { state, position } = await this.#versions.execute(
      userStream(requester.userId),
      (versions) => decide(versions, this.#nextVersion(versions)).map(draftOf),
      causeOf(requester),
    );
    await this.views.whenProcessed(position, [BACKED_UP.name]);
    return state;
  }

  /**
   * Appends what `decide` answers to a version, and settles once the views show it. Answers the state then. Throws M_NOT_FOUND,
   * M_WRONG_ROOM_KEYS_VERSION (`mustBeCurrent`), ViewsUnavailable where the views do not show what was decided before.
   */
  change(
    requester: Requester,
    version: string,
    { mustBeCurrent, decide }: { readonly mustBeCurrent: boolean; readonly decide: DecideBackup },
  ): Promise<BackupState> {
    const { userId } = requester;
    return this.#turns.run(userId, async () => {
      const versions = await this.versions(userId);
      if (mustBeCurrent) checkCurrent(versions, version);
      else checkStanding(versions, version);
      for (;;) {
        try {
          return await this.#change(userId, version, decide, causeOf(requester));
        } catch (error) {
          if (!(error instanceof BackupChanged)) throw error;
        }
      }
    });
  }

  /**
   * Frees the log of all keys in versions of a user's backup that are no more. Answers whether there were any. Asked again, it goes on
   * where it was left.
   */
  free(userId: UserId): Promise<boolean> {
    return this.#turns.run(userId, async () => {
      const { made, standing } = await this.versions(userId);
      let isDone = false;
      for (const version of made) {
        const stream = backupStream(userId, version);
        if (standing.has(version)) continue;
        isDone = (await this.#empty(stream)) || isDone;
      }
      return isDone;
    });
  }

  #nextVersion({ last }: BackupVersions): number {
    return nextNumber(last, this.views.history.name, Math.floor(this.clock.now() / 1000));
  }

  #nextEtag({ etag }: BackupState): number {
    return nextNumber(etag, this.views.history.name, this.clock.now());
  }

  /** Lets all facts of a version go but the last, which says that nothing is in it. Answers whether there were others. */
  async #empty(stream: string): Promise<boolean> {
    const { revision: last, state } = await this.#backups.load(stream);
    if (last === 'no-stream') return false;
    let revision = last;
    if (state.count > 0) {
      const emptied = draftOf({
        type: 'sessions-removed',
        data: { sessions: {}, count: 0, etag: this.#nextEtag(state) },
      });
      revision = (await this.#backups.execute(stream, () => [emptied], BY_SERVER)).revision as number;
    } else if ((await this.#countFacts(stream, last)) === 1) return false;
    await this.store.truncate(stream, revision);
    return true;
  }

  async #change(userId: UserId, version: string, decide: DecideBackup, cause: Cause): Promise<BackupState> {
    const stream = backupStream(userId, version);
    const { state: before, position } = await this.#backups.load(stream);
    await awaitShown(this.views, BACKED_UP.name, position, 'the backup');
    const drafts = (await decide(before, this.#nextEtag(before))).map(draftOf);
    await this.views.confirm();
    if (drafts.length === 0) return before;
    let [state, from] = [before, before];
    let end = position;
    for (const group of inGroups(drafts, ({ data }) => bytesInLog(data), MOST_IN_A_WRITE)) {
      const isSame = (now: BackupState): boolean => now.etag === from.etag && now.count === from.count;
      const executed = await this.#backups.execute(
        stream,
        (now) => {
          if (!isSame(now)) throw new BackupChanged();
          return group;
        },
        cause,
      );
      ({ state, position: end } = executed);
      from = state;
      this.#shortenSafely(userId, stream, executed.revision as number, group.length, state);
    }
    await this.views.whenProcessed(end, [BACKED_UP.name]);
    return state;
  }

  /** Nobody waits for it, and what is not done now is done the next time. */
  #shortenSafely(userId: UserId, stream: string, revision: number, appended: number, { count }: BackupState): void {
    if (count > 0 && (!isLookDue(revision, appended) || this.#shortening.has(stream))) return;
    this.#shortening.add(stream);
    const isLong = async (): Promise<boolean> => {
      const facts = await this.#countFacts(stream, revision);
      return count === 0 || facts - count >= Math.max(count, OVERTAKEN);
    };
    void this.#turns
      .run(userId, async () => {
        const said = (await isLong()) ? await sayBackupAgain(this.store, stream) : undefined;
        if (said !== undefined) await this.store.truncate(stream, said.before);
        return said?.over;
      })
      .then(async (over) => {
        if (over === undefined) return;
        await this.views.whenKept(over.position, [BACKED_UP.name]);
        await this.#turns.run(userId, () => this.store.truncate(stream, over.before));
      })
      .catch(() => {})
      .finally(() => this.#shortening.delete(stream));
  }

  /** How many facts a stream has up to its last one. */
  async #countFacts(stream: string, last: number): Promise<number> {
    for await (const { revision } of this.store.readStream(stream, { limit: 1 })) return last - revision + 1;
    return 1;
  }
}
