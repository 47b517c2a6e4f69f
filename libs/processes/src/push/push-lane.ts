import { setTimeout as delay } from 'node:timers/promises';
import { isOutage } from '#federation/is-outage';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { PusherSet } from '#push/facts/pusher-facts';
import { type Addressee, formatNotifications } from '#push/gateway/notification';
import type { GatewayAnswer } from '#push/gateway/push-gateways';
import type { Badge } from '#sync/unread/badges';
import type { EventToPush, PushItem } from './push-item.js';

/** What a lane does its work by. */
export interface LaneParts {
  notify(url: string, make: () => Promise<readonly JsonObject[]>, failures: number): Promise<GatewayAnswer>;
  /** Waits after so many failures in a row. */
  pause(url: string, failures: number): Promise<void>;
  pushersOf(userId: UserId): Promise<readonly PusherSet[]>;
  badgeOf(userId: UserId): Promise<Badge>;
  /** Waits as long as an event is to be held back. */
  holdBack(userId: UserId, since: number): Promise<void>;
  /** These pushers were refused by their gateway, as they are. */
  removeRejected(userId: UserId, pushers: readonly PusherSet[]): Promise<void>;
  /** Notes in the log that these pushers are owed something, or nothing any more. */
  noteBehind(userId: UserId, pushers: readonly PusherSet[], isBehind: boolean): Promise<void>;
  /** What went wrong by a mistake of ours. */
  failed(error: unknown): void;
  elapsed(): number;
  readonly ending: AbortSignal;
}

/** What a lane remembers while it has nothing to do. */
export interface LaneMemory {
  /** The number that the gateway was told last; undefined where nothing is known of that. */
  sent: number | undefined;
}

/** Of more that waits the newest is told: it leads to all of it. */
const MOST_ITEMS = 20;
/** What could not be told for a day is none of anybody's business any more. */
const MOST_AGE_MS = 24 * 3_600_000;
const MOST_REFUSALS = 5;
const OUTAGE_PAUSE_MS = 1_000;
/** A number waits so long for another one, or for an event that is told with it. */
const NUMBER_WAITS_MS = 1_000;
/** After so long what waits is noted in the log, so that no fact waits for a gateway. */
const NOTED_AFTER_MS = 10_000;

/** What one gateway is told of one user, one thing after another. */
export class PushLane {
  readonly #items: PushItem[] = [];
  /** A number that is to be told soon, unless it is told with an event before. */
  #number: { readonly item: PushItem; readonly timer: NodeJS.Timeout } | undefined;
  /** The number is to be told whether or not another one was told before. */
  #owesNumber = false;
  #failures = 0;
  #refusals = 0;
  /** Told about now. */
  #current: PushItem | undefined;
  /** It is noted in the log that something is owed: no fact has to wait. */
  #isNoted: boolean;
  #isNoting = false;
  readonly #onIdle: () => void;

  constructor(
    readonly userId: UserId,
    private readonly url: string,
    private readonly parts: LaneParts,
    private readonly memory: LaneMemory,
    /** `isBehind`: by the log it is owed something. */
    options: { readonly isBehind: boolean; readonly onIdle: () => void },
  ) {
    this.#isNoted = options.isBehind;
    this.#onIdle = options.onIdle;
  }

  /** To be told in its turn. */
  add(item: PushItem): void {
    if (this.#isNoted) item.ended();
    if (item.event === undefined) return this.#addNumber(item);
    const number = this.#takeNumber();
    this.#push(number === undefined ? item : { ...item, ended: () => [number, item].forEach(({ ended }) => ended()) });
  }

  /** Notes in the log that something is owed where it has waited for long. */
  async look(): Promise<void> {
    const [first] = this.#items;
    if (first === undefined || this.#isNoted || this.#isNoting) return;
    if (this.parts.elapsed() - first.since < NOTED_AFTER_MS) return;
    this.#isNoting = true;
    try {
      await this.parts.noteBehind(this.userId, await this.#pushers(), true);
      this.#isNoted = true;
      for (const { ended } of this.#items) ended();
      // It may have been told meanwhile.
      if (this.#items.length === 0) await this.#catchUp();
    } finally {
      this.#isNoting = false;
    }
  }

  /** Begins nothing more. */
  end(): void {
    clearTimeout(this.#number?.timer);
  }

  #addNumber(item: PushItem): void {
    this.#owesNumber = true;
    // It is told as it is then: one that waits is enough, or an event behind that which is told now.
    const waiting = this.#number?.item ?? this.#items.find((one) => one !== this.#current);
    if (waiting !== undefined) return item.ended();
    const timer = setTimeout(() => this.#push(this.#takeNumber()!), NUMBER_WAITS_MS).unref();
    this.#number = { item, timer };
  }

  #takeNumber(): PushItem | undefined {
    const { item, timer } = this.#number ?? {};
    clearTimeout(timer);
    this.#number = undefined;
    return item;
  }

  #push(item: PushItem): void {
    this.#items.push(item);
    if (this.#items.length > MOST_ITEMS) this.#drop(this.#items.find((one) => one !== this.#current)!);
    if (this.#current === undefined) void this.#run();
  }

  async #run(): Promise<void> {
    while ((this.#current = this.#items[0]) !== undefined) {
      const item = this.#current;
      try {
        if (item.event !== undefined) await this.parts.holdBack(this.userId, item.since);
        if (await this.#tell(item)) this.#drop(item);
        if (this.#items.length === 0) await this.#catchUp();
      } catch (error) {
        if (this.parts.ending.aborted) return;
        if (isOutage(error)) await this.#pause(OUTAGE_PAUSE_MS);
        else {
          this.parts.failed(error);
          this.#drop(item);
        }
      }
      if (this.parts.ending.aborted) return;
    }
    if (this.#number === undefined) this.#onIdle();
  }

  async #catchUp(): Promise<void> {
    if (!this.#isNoted) return;
    // What comes from here on is not told by that note.
    this.#isNoted = false;
    await this.parts.noteBehind(this.userId, await this.#pushers(), false);
  }

  /** Whether nothing more is to be done of it. */
  async #tell(item: PushItem): Promise<boolean> {
    let told: { readonly pushers: readonly PusherSet[]; readonly unread: number } | undefined;
    const make = async (): Promise<readonly JsonObject[]> => {
      const pushers = (await this.#pushers()).filter(({ enabled }) => enabled);
      if (pushers.length === 0) return [];
      const badge = await this.parts.badgeOf(this.userId);
      told = { pushers, unread: badge.unread };
      return this.#bodies(item.event, pushers, badge);
    };
    const answer = await this.parts.notify(this.url, make, this.#failures);
    if (answer.kind === 'away') {
      if (this.parts.elapsed() - item.since > MOST_AGE_MS) return true;
      await this.parts.pause(this.url, ++this.#failures);
      return false;
    }
    this.#failures = 0;
    if (answer.kind === 'refused') {
      if (++this.#refusals >= MOST_REFUSALS) return true;
      await this.parts.pause(this.url, this.#refusals);
      return false;
    }
    if (answer.kind === 'nothing' || told === undefined) return true;
    this.memory.sent = told.unread;
    this.#owesNumber = false;
    const rejected = told.pushers.filter(({ pushkey }) => answer.rejected.includes(pushkey));
    if (rejected.length > 0) await this.parts.removeRejected(this.userId, rejected);
    return true;
  }

  async #bodies(
    event: EventToPush | undefined,
    pushers: readonly PusherSet[],
    badge: Badge,
  ): Promise<readonly JsonObject[]> {
    const { unread } = badge;
    const addressees: Addressee[] = [];
    for (const pusher of pushers) {
      const tweaks = event === undefined ? {} : await event.tweaksFor(pusher);
      if (tweaks !== undefined) addressees.push({ pusher, tweaks });
    }
    const isDue = event !== undefined && addressees.length > 0 && (await event.isDue(badge));
    const described = isDue ? await event.describe(this.userId) : undefined;
    if (described !== undefined) return formatNotifications(described, addressees, unread);
    // Where an event is not told any more, the number is what matters, if another one was told or nobody knows.
    const { sent } = this.memory;
    const isNews = sent !== unread && (this.#owesNumber || sent !== undefined);
    return isNews
      ? formatNotifications(
          undefined,
          pushers.map((pusher) => ({ pusher, tweaks: {} })),
          unread,
        )
      : [];
  }

  async #pushers(): Promise<readonly PusherSet[]> {
    return (await this.parts.pushersOf(this.userId)).filter(({ data }) => data['url'] === this.url);
  }

  #drop(item: PushItem): void {
    const at = this.#items.indexOf(item);
    if (at < 0) return;
    this.#items.splice(at, 1);
    this.#refusals = 0;
    item.ended();
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.parts.ending, ref: false }).catch(() => {});
  }
}
