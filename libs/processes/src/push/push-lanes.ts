import { Inject, Injectable, Logger } from '@nestjs/common';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { messageOf } from '#kernel/message-of';
import { Slots } from '#kernel/slots';
import { VIEWS, type Views } from '#projections/views';
import { gatewayOf } from '#push/digests/mail-pusher';
import type { PusherSet } from '#push/facts/pusher-facts';
import { PushGateways } from '#push/gateway/push-gateways';
import { pusherKey } from '#push/pushers/known-pushers';
import { decideBehind, decidePusherRemoval } from '#push/pushers/decide-pushers';
import { Pushers } from '#push/pushers';
import { type Badge, Badges } from '#sync/unread/badges';
import { HoldBack } from './hold-back.js';
import { listToldPushers } from './list-told-pushers.js';
import type { EventToPush, PushItem } from './push-item.js';
import { type LaneMemory, type LaneParts, PushLane } from './push-lane.js';

/** Of so many users, and so many gateways of each: more than anybody has pushers. */
const REMEMBERED = 20_000;
const GATEWAYS_OF_USER = 100;
const LOOK_MS = 2_000;
/** So many notes are written at once. */
const NOTES_AT_ONCE = 8;

/** What lanes ask those who look for what is to be told. */
export interface PushSource {
  /** The newest event that is unread for a user. */
  newestOf(userId: UserId, badge: Badge): Promise<EventToPush | undefined>;
  /** See `LaneParts.prepare`. */
  prepare(userId: UserId, event: EventToPush | undefined): Promise<boolean>;
  /** Whether so many facts wait for gateways that hardly any others are looked at. */
  isCrowded(): boolean;
}

/** All that is being told to gateways: a lane for each user and each gateway of theirs. None waits for another but for its gateway's turn. */
@Injectable()
export class PushLanes {
  readonly #lanes = new Map<string, PushLane>();
  /** What gateways were told of each user, by their address. */
  readonly #memories = new LruCache<UserId, Map<string, LaneMemory>>(REMEMBERED);
  readonly #log = new Logger('push');
  #ending = new AbortController();
  readonly #notes = new Slots(NOTES_AT_ONCE);
  #looks: NodeJS.Timeout | undefined;
  #source: PushSource | undefined;

  constructor(
    private readonly gateways: PushGateways,
    private readonly pushers: Pushers,
    private readonly badges: Badges,
    private readonly hold: HoldBack,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#memories.numbers;
  }

  /** How many have something to tell. */
  get size(): number {
    return this.#lanes.size;
  }

  begin(source: PushSource): void {
    clearInterval(this.#looks);
    this.#source = source;
    this.#ending = new AbortController();
    this.#looks = setInterval(() => this.#look(source.isCrowded()), LOOK_MS).unref();
  }

  /** Begins nothing more; what waited is for the next process. */
  end(): void {
    clearInterval(this.#looks);
    this.#ending.abort();
    this.gateways.end();
    for (const lane of this.#lanes.values()) lane.end();
    this.#lanes.clear();
    this.#memories.clear();
  }

  /** Tells a gateway something of a user. `isBehind`: by the log it is owed something. */
  add(userId: UserId, url: string, item: PushItem, isBehind = false): void {
    const key = keyOf(userId, url);
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = this.#open(userId, url, isBehind)));
    lane.add(item);
  }

  /**
   * Whether a gateway may have to be told how much is unread: once nothing is, it knows until there is an event to tell of. `ifTold`: only
   * where it was told anything since this process began.
   */
  needsNumber(userId: UserId, url: string, ifTold: boolean): boolean {
    if (this.#lanes.has(keyOf(userId, url))) return true;
    const sent = this.#memories.peek(userId)?.get(url)?.sent;
    return sent === undefined ? !ifTold : sent > 0;
  }

  /** Whether any gateway needs the number that was told one before. PERF: of whom that is not so nothing has to be looked up. */
  isNumberKnownOf(userId: UserId): boolean {
    for (const url of this.#memories.peek(userId)?.keys() ?? []) if (this.needsNumber(userId, url, true)) return true;
    return false;
  }

  /** A pusher was set then by its device: whether its gateway told that anything is not known, unless it was told since. */
  forget(userId: UserId, url: string, setAt: number): void {
    const memory = this.#memories.peek(userId)?.get(url);
    if (memory !== undefined && setAt > memory.setAt) memory.sent = undefined;
  }

  #open(userId: UserId, url: string, isBehind: boolean): PushLane {
    const key = keyOf(userId, url);
    const lane: PushLane = new PushLane(userId, url, this.#parts(), this.#memoryOf(userId, url), {
      isBehind,
      onIdle: () => {
        if (this.#lanes.get(key) === lane) this.#lanes.delete(key);
      },
    });
    return lane;
  }

  #memoryOf(userId: UserId, url: string): LaneMemory {
    let gateways = this.#memories.get(userId);
    if (gateways === undefined) this.#memories.set(userId, (gateways = new Map()));
    let memory = gateways.get(url);
    if (memory !== undefined) return memory;
    if (gateways.size >= GATEWAYS_OF_USER) gateways.delete(gateways.keys().next().value!);
    gateways.set(url, (memory = { sent: undefined, setAt: 0 }));
    return memory;
  }

  #parts(): LaneParts {
    const { signal } = this.#ending;
    return {
      notify: (url, make, failures) => this.gateways.notify(url, make, failures),
      isAway: (url) => this.gateways.isAway(url),
      pause: (url, failures) => this.gateways.pause(url, failures),
      pushersOf: (userId) => listToldPushers(this.views, userId),
      badgeOf: (userId) => this.badges.read(userId),
      newestOf: async (userId, badge) => this.#source?.newestOf(userId, badge),
      prepare: async (userId, event) => (await this.#source?.prepare(userId, event)) ?? true,
      isHeldBack: (userId, since) => this.hold.isInUse(userId, since),
      waitHeld: () => this.hold.wait(signal),
      removeRejected: (userId, rejected) => this.#removeRejected(userId, rejected),
      // Of all of theirs, also while they are told nothing: then nothing is owed, and is not to be told at a later start as if it were.
      noteBehind: async (userId, url, isBehind) => {
        await this.pushers.change(userId, { actor: userId }, (known) =>
          [...known.values()]
            .filter((pusher) => gatewayOf(pusher) === url)
            .flatMap((pusher) => decideBehind(known, pusher, isBehind)),
        );
      },
      failed: (error) => this.#log.error(`A notification is not told: ${messageOf(error)}`),
      elapsed: () => this.stopwatch.elapsed(),
      ending: signal,
    };
  }

  /** One that was set anew meanwhile is another one. */
  async #removeRejected(userId: UserId, rejected: readonly PusherSet[]): Promise<void> {
    await this.pushers.change(userId, { actor: userId }, (known) =>
      rejected
        .filter((pusher) => known.get(pusherKey(pusher))?.set_at === pusher.set_at)
        .flatMap((pusher) => decidePusherRemoval(known, pusher, 'rejected')),
    );
  }

  #look(isCrowded: boolean): void {
    const failed = (error: unknown): void =>
      this.#log.warn(`What is owed to a gateway is not noted: ${messageOf(error)}`);
    for (const lane of this.#lanes.values())
      if (lane.isOverdue(isCrowded)) this.#notes.run(() => lane.note()).catch(failed);
  }
}

function keyOf(userId: UserId, url: string): string {
  return `${userId} ${url}`;
}
