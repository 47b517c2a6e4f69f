import { Inject, Injectable } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId, UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { Slots } from '#kernel/slots';
import { noteUnread } from '#push/digests/decide-digest';
import type { Digest } from '#push/digests/digest';
import type { PusherName, PusherSet } from '#push/facts/pusher-facts';
import { decideDigest, decidePusherRemoval } from '#push/pushers/decide-pushers';
import { Pushers } from '#push/pushers';
import type { EventToPush } from '../push/push-item.js';

/** Of so many users it is known in which rooms nothing has to be noted. */
const REMEMBERED = 20_000;
/** So many notes are written at once: after a message to a thousand members the log is for others too. */
const NOTES_AT_ONCE = 8;

/** What is noted of a user. */
interface Noted {
  /** The rooms of which nothing more has to be noted until there is a look. */
  readonly rooms: Set<RoomId>;
  /** No gateway is told anything of the user. */
  isMailedAlone: boolean;
}

/**
 * Notes in the log that there is something to mail to a user, once for all that is mailed together. PERF: where that is noted another
 * message of the room costs a look into a map.
 */
@Injectable()
export class DigestNotes {
  readonly #noted = new LruCache<UserId, Noted>(REMEMBERED);
  readonly #slots = new Slots(NOTES_AT_ONCE);
  readonly #looks = new KeyedQueue<UserId>();
  /** The users who are being looked at, and whether something more came meanwhile. */
  readonly #looked = new Map<UserId, { hasMore: boolean }>();

  constructor(
    private readonly pushers: Pushers,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'digests'>,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#noted.numbers;
  }

  /** What was not read for so long is mailed. */
  get afterMs(): number {
    return this.config.digests.afterMs;
  }

  /** What another process noted while it ran this was not heard of here. */
  begin(): void {
    this.#noted.clear();
  }

  /** A user has set a pusher: what was noted of another one, or while it was off, is of no meaning for it. */
  forget(userId: UserId): void {
    this.#noted.delete(userId);
  }

  /**
   * Whether nothing at all follows from whatever happens in a room for a user, for they are mailed alone, and that is noted. PERF: what is said
   * to a thousand members who are is a look into a map for each, and no rules are asked.
   */
  isSettled(userId: UserId, roomId: RoomId): boolean {
    const noted = this.#noted.get(userId);
    if (noted === undefined || !noted.isMailedAlone || !noted.rooms.has(roomId)) return false;
    this.#touch(userId);
    return true;
  }

  /** Something notifies a user. `isMailedAlone`: no gateway is told of it. Settles once it cannot be lost. */
  async note(
    userId: UserId,
    { roomId, position }: Pick<EventToPush, 'roomId' | 'position'>,
    isMailedAlone: boolean,
  ): Promise<void> {
    this.#touch(userId);
    const noted = this.#noted.get(userId) ?? { rooms: new Set(), isMailedAlone };
    if (noted.rooms.has(roomId)) return;
    this.#noted.set(userId, noted);
    const change = (digest: Digest): Digest | undefined =>
      noteUnread(digest, { roomId, position, now: this.clock.now() }, this.afterMs);
    await this.#slots.run(() => this.#changeAll(userId, change));
    // What is written at the end of a look may say otherwise, and so may a pusher that was set meanwhile.
    if (this.#looked.has(userId) || this.#noted.get(userId) !== noted) return;
    noted.rooms.add(roomId);
    noted.isMailedAlone = isMailedAlone;
  }

  /** Looks at what is to be mailed to a user, one look at a time. `look` is told whether something more came since it began. */
  look<T>(userId: UserId, look: (hasMore: () => boolean) => Promise<T>): Promise<T> {
    return this.#looks.run(userId, async () => {
      const state = { hasMore: false };
      this.#looked.set(userId, state);
      // Not at its end: what comes then, once it is too late for `hasMore`, is noted anew.
      this.#noted.delete(userId);
      try {
        return await look(() => state.hasMore);
      } finally {
        this.#looked.delete(userId);
      }
    });
  }

  /** One of a user's pushers, by the log. */
  find(userId: UserId, name: PusherName): Promise<PusherSet | undefined> {
    return this.pushers.find(userId, name);
  }

  /** Notes how it goes on with one pusher. */
  async change(userId: UserId, name: PusherName, change: (digest: Digest) => Digest | undefined): Promise<void> {
    await this.pushers.change(userId, BY_SERVER, (known) => decideDigest(known, name, change));
  }

  /** Ends a pusher whose mails reach nobody. */
  async end(userId: UserId, name: PusherName): Promise<void> {
    await this.pushers.change(userId, BY_SERVER, (known) => decidePusherRemoval(known, name, 'rejected'));
  }

  /** Something came while it is looked at what is to be mailed to a user. */
  #touch(userId: UserId): void {
    const look = this.#looked.get(userId);
    if (look !== undefined) look.hasMore = true;
  }

  async #changeAll(userId: UserId, change: (digest: Digest) => Digest | undefined): Promise<void> {
    await this.pushers.change(userId, BY_SERVER, (known) =>
      [...known.values()].flatMap((pusher) => decideDigest(known, pusher, change)),
    );
  }
}
