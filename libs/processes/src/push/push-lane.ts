import { setTimeout as delay } from 'node:timers/promises';
import { isOutage } from '#federation/is-outage';
import type { UserId } from '#kernel/ids';
import { gatewayOf } from '#push/digests/mail-pusher';
import type { PusherSet } from '#push/facts/pusher-facts';
import { type Addressee, formatNotifications, type GatewayRequest } from '#push/gateway/notification';
import type { GatewayAnswer } from '#push/gateway/push-gateways';
import { pusherKey } from '#push/pushers/known-pushers';
import type { Badge } from '#sync/unread/badges';
import type { EventToPush, PushItem } from './push-item.js';

/** What a lane does its work by. */
export interface LaneParts {
  notify(url: string, make: () => Promise<readonly GatewayRequest[]>, failures: number): Promise<GatewayAnswer>;
  /** Whether the gateway is known not to be there, whoever found that. */
  isAway(url: string): boolean;
  /** Waits after so many failures in a row. */
  pause(url: string, failures: number): Promise<void>;
  pushersOf(userId: UserId): Promise<readonly PusherSet[]>;
  badgeOf(userId: UserId): Promise<Badge>;
  /** The newest event that is unread. */
  newestOf(userId: UserId, badge: Badge): Promise<EventToPush | undefined>;
  /** Does what may take a while before it is the gateway's turn; false where the user's rules let nothing be told of the event. */
  prepare(userId: UserId, event: EventToPush | undefined): Promise<boolean>;
  /** Whether an event that was to be told first at a moment is held back. */
  isHeldBack(userId: UserId, since: number): Promise<boolean>;
  /** Waits until it is time to look again whether it still is. */
  waitHeld(): Promise<void>;
  /** These pushers were refused by their gateway, as they are. */
  removeRejected(userId: UserId, pushers: readonly PusherSet[]): Promise<void>;
  /** Notes in the log that these pushers are owed something, or nothing any more. */
  noteBehind(userId: UserId, url: string, isBehind: boolean): Promise<void>;
  /** What went wrong by a mistake of ours. */
  failed(error: unknown): void;
  elapsed(): number;
  readonly ending: AbortSignal;
}

/** What a lane remembers while it has nothing to do. */
export interface LaneMemory {
  /** The number that the gateway was told last; undefined where nothing is known of that. */
  sent: number | undefined;
  /** When those who were told that were set, the last of them. */
  setAt: number;
}

/** Of more that waits the newest of each room is told: it leads to all of it. */
const MOST_ITEMS = 20;
/** What could not be told for a day is none of anybody's business any more. */
const MOST_AGE_MS = 24 * 3_600_000;
const MOST_REFUSALS = 5;
const OUTAGE_PAUSE_MS = 1_000;
/** A number waits so long for another one, or for an event that is told with it. */
const NUMBER_WAITS_MS = 1_000;
/** After so long what a gateway that is away does not take is noted in the log, so that no fact waits for it. */
const NOTED_AFTER_MS = 10_000;
/** After so long so is what waits for its turn, or while its user is there: most of that is told, or read, before. */
const WAITING_NOTED_AFTER_MS = 60_000;

/** What one gateway is told of one user, one thing after another. */
export class PushLane {
  readonly #items: PushItem[] = [];
  /** A number that is to be told soon, unless it is told with an event before. */
  #number: { readonly item: PushItem; readonly timer: NodeJS.Timeout } | undefined;
  /** The number is to be told whether or not another one was told before. */
  #owesNumber = false;
  #failures = 0;
  /** What is told now, how often it was refused, and who has it; once it was refused, each is told alone: the others are not at fault. */
  #current: PushItem | undefined;
  #refusals = 0;
  readonly #told = new Set<string>();
  /** It is noted in the log that something is owed: no fact has to wait. */
  #isNoted: boolean;
  #isNoting = false;
  #isRunning = false;
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
    // Where nothing is unread any more, that is what is owed.
    if (item.isOwed === true) this.#owesNumber = true;
    else if (item.event === undefined) return this.#addNumber(item);
    const number = this.#takeNumber();
    this.#push(number === undefined ? item : { ...item, ended: () => [number, item].forEach(({ ended }) => ended()) });
  }

  /** Whether it is to be noted that something is owed. `isCrowded`: so many facts wait that no others are looked at. */
  isOverdue(isCrowded: boolean): boolean {
    const [first] = this.#items;
    if (first === undefined || this.#isNoted || this.#isNoting) return false;
    const waited = this.parts.elapsed() - first.since;
    const isAway = this.#failures > 0 || this.parts.isAway(this.url);
    if (isAway) return isCrowded || waited >= NOTED_AFTER_MS;
    return waited >= (isCrowded ? NOTED_AFTER_MS : WAITING_NOTED_AFTER_MS);
  }

  /** Notes in the log that something is owed: no fact has to wait for it. */
  async note(): Promise<void> {
    this.#isNoting = true;
    try {
      await this.parts.noteBehind(this.userId, this.url, true);
      this.#isNoted = true;
      for (const { ended } of this.#items) ended();
    } finally {
      this.#isNoting = false;
    }
    // It may have been told meanwhile.
    void this.#run();
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
    if (this.#items.length > MOST_ITEMS) this.#drop(this.#dispensable());
    void this.#run();
  }

  /** What is told by something behind it too, or else the oldest. */
  #dispensable(): PushItem {
    const others = this.#items.filter((one) => one !== this.#current);
    const isLast = (one: PushItem, i: number): boolean =>
      !others.some(({ event }, k) => k > i && event?.roomId === one.event?.roomId);
    return others.find((one, i) => !isLast(one, i)) ?? others[0]!;
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (((this.#current = this.#items[0]) !== undefined || this.#isNoted) && !this.parts.ending.aborted) {
      const item = this.#current;
      try {
        if (item === undefined) await this.#catchUp();
        else if (await this.#work(item)) this.#drop(item);
      } catch (error) {
        if (this.parts.ending.aborted) break;
        if (isOutage(error)) await this.#pause(OUTAGE_PAUSE_MS);
        else {
          this.parts.failed(error);
          if (item === undefined) break;
          this.#drop(item);
        }
      }
    }
    this.#isRunning = false;
    if (this.#number === undefined && !this.parts.ending.aborted) this.#onIdle();
  }

  async #catchUp(): Promise<void> {
    // What comes from here on is not told by that note.
    this.#isNoted = false;
    try {
      await this.parts.noteBehind(this.userId, this.url, false);
    } catch (error) {
      this.#isNoted = true;
      throw error;
    }
  }

  /** Whether nothing more is to be done of it. */
  async #work(item: PushItem): Promise<boolean> {
    if (item.event !== undefined && this.#isUntold) await this.#holdBack(item);
    if (this.parts.ending.aborted) return false;
    if (await this.parts.prepare(this.userId, item.event)) return this.#tell(item);
    return this.#owesNumber ? this.#tell({ ...item, event: undefined }) : true;
  }

  /** Whether nobody has what is told now, nor refused it. */
  get #isUntold(): boolean {
    return this.#told.size === 0 && this.#refusals === 0;
  }

  /** Waits while an event is held back. Numbers are told meanwhile: what was read on the device in use goes from the others. */
  async #holdBack({ since }: PushItem): Promise<void> {
    while (!this.parts.ending.aborted && (await this.parts.isHeldBack(this.userId, since))) {
      if (this.#owesNumber) {
        if (!(await this.#tell({ since, ended: () => {} }))) continue;
        this.#owesNumber = false;
        this.#told.clear();
        this.#refusals = 0;
      }
      for (const item of this.#items.filter(({ event, isOwed }) => event === undefined && isOwed !== true))
        this.#drop(item);
      await this.parts.waitHeld();
    }
  }

  /** Whether nothing more is to be done of it. */
  async #tell(item: PushItem): Promise<boolean> {
    let unread: number | undefined;
    const make = async (): Promise<readonly GatewayRequest[]> => {
      const pushers = (await this.#pushers()).filter(({ enabled }) => enabled);
      if (pushers.length === 0) return [];
      const badge = await this.parts.badgeOf(this.userId);
      unread = badge.unread;
      const event = item.isOwed === true ? await this.parts.newestOf(this.userId, badge) : item.event;
      return this.#requests(event, pushers, badge);
    };
    const answer = await this.parts.notify(this.url, make, this.#failures);
    if (unread !== undefined && answer.told.length > 0) await this.#noteTold(answer, unread);
    if (answer.kind === 'away') {
      if (this.parts.elapsed() - item.since > MOST_AGE_MS) return true;
      await this.parts.pause(this.url, ++this.#failures);
      return false;
    }
    this.#failures = 0;
    if (answer.kind !== 'refused' || ++this.#refusals >= MOST_REFUSALS) return true;
    await this.parts.pause(this.url, this.#refusals);
    return false;
  }

  async #noteTold({ told, rejected }: GatewayAnswer, unread: number): Promise<void> {
    for (const pusher of told) this.#told.add(pusherKey(pusher));
    this.memory.sent = unread;
    this.memory.setAt = Math.max(...told.map(({ set_at }) => set_at), this.memory.setAt);
    this.#owesNumber = false;
    const refused = told.filter(({ pushkey }) => rejected.includes(pushkey));
    if (refused.length > 0) await this.parts.removeRejected(this.userId, refused);
  }

  async #requests(
    event: EventToPush | undefined,
    pushers: readonly PusherSet[],
    badge: Badge,
  ): Promise<readonly GatewayRequest[]> {
    const { unread } = badge;
    const isAlone = this.#refusals > 0;
    const untold = pushers.filter((pusher) => !this.#told.has(pusherKey(pusher)));
    const addressees = untold.flatMap((pusher): Addressee[] => {
      const tweaks = event?.tweaksFor(pusher);
      return tweaks === undefined ? [] : [{ pusher, tweaks }];
    });
    const isDue = event !== undefined && addressees.length > 0 && (await event.isDue(badge));
    const described = isDue ? await event.describe(this.userId) : undefined;
    if (described !== undefined) return formatNotifications(described, addressees, unread, isAlone);
    // Where an event is not told any more, the number is what matters, if another one was told or nobody knows.
    const { sent } = this.memory;
    const isNews = sent !== unread && (this.#owesNumber || sent !== undefined);
    const silently = untold.map((pusher) => ({ pusher, tweaks: {} }));
    return isNews ? formatNotifications(undefined, silently, unread, isAlone) : [];
  }

  async #pushers(): Promise<readonly PusherSet[]> {
    return (await this.parts.pushersOf(this.userId)).filter((pusher) => gatewayOf(pusher) === this.url);
  }

  #drop(item: PushItem): void {
    const at = this.#items.indexOf(item);
    if (at < 0) return;
    this.#items.splice(at, 1);
    if (item === this.#current) {
      this.#refusals = 0;
      this.#told.clear();
    }
    item.ended();
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.parts.ending, ref: false }).catch(() => {});
  }
}
