import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { PresenceState } from './availability.js';
import { isOtherThan, type PresenceChange, type ShownPresence } from './shown-presence.js';

/** What another server tells of a user of its own. */
export interface ToldPresence {
  readonly state: PresenceState;
  /** What they are instead of it, where that is not known here. */
  readonly word: string | undefined;
  readonly currentlyActive: boolean;
  readonly statusMsg: string | undefined;
  readonly deviceType: string | undefined;
  readonly lastActiveAgo: number | undefined;
}

interface Kept extends ToldPresence {
  readonly toldAt: number;
}

/** So many are remembered. */
const MOST = 20_000;
/** Who is there and of whom nothing was told for so long is there no more: their server may have gone. */
const BELIEVED_MS = 30 * 60_000;
const LOOK_MS = 60_000;

/** Who is there of the users of other servers, as these told it: in the memory of this process alone. */
@Injectable()
export class RemotePresence implements OnModuleInit, OnModuleDestroy {
  /** In the order in which they were told. */
  readonly #known = new Map<UserId, Kept>();
  readonly #listeners = new Set<(userId: UserId, change: PresenceChange) => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(@Inject(CLOCK) private readonly stopwatch: Stopwatch) {}

  onModuleInit(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
  }

  /** A user of another server is this now. For whoever has checked that it is their server that tells it, and that somebody here may hear of it. */
  take(userId: UserId, told: ToldPresence): void {
    const before = this.find(userId);
    this.#known.delete(userId);
    this.#known.set(userId, { ...told, toldAt: this.stopwatch.elapsed() });
    const change =
      before === undefined ? { ofOthers: true, wakes: told.state !== 'offline' } : isOtherThan(before, told);
    if (change !== undefined) this.#tell(userId, change);
    const [oldest] = this.#known.size > MOST ? this.#known.keys() : [];
    if (oldest === undefined) return;
    this.#known.delete(oldest);
    this.#tell(oldest, 'forgotten');
  }

  find(userId: UserId): ShownPresence | undefined {
    const known = this.#known.get(userId);
    if (known === undefined) return undefined;
    const { toldAt, lastActiveAgo, ...shown } = known;
    const since = Math.floor(this.stopwatch.elapsed() - toldAt);
    return { ...shown, lastActiveAgo: lastActiveAgo === undefined ? undefined : lastActiveAgo + since };
  }

  /** Calls the listener after each change. Answers how to end that. */
  onChange(listener: (userId: UserId, change: PresenceChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Believes no longer what was told long ago, and forgets it later. Called by a timer of its own. */
  look(): void {
    const old = this.stopwatch.elapsed() - BELIEVED_MS;
    for (const [userId, known] of this.#known) {
      if (known.toldAt > old) return;
      if (known.state !== 'offline') {
        const gone = { state: 'offline', word: undefined, deviceType: undefined, currentlyActive: false } as const;
        this.take(userId, { ...known, ...gone });
      } else {
        this.#known.delete(userId);
        this.#tell(userId, 'forgotten');
      }
    }
  }

  #tell(userId: UserId, change: PresenceChange): void {
    for (const listener of this.#listeners) listener(userId, change);
  }
}
