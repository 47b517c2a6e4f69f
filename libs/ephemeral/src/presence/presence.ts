import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { Requester } from '#kernel/requester';
import { RunsUnderWay } from '#kernel/runs-under-way';
import { DueTimes } from './due-times.js';
import { isKeepDue, isKeptAlike, keptOf } from './keep-due.js';
import type { DeviceState, SaidState } from './availability.js';
import { KeptPresence } from './kept-presence.js';
import { type Entry, entryOf } from './presence-entry.js';
import {
  act,
  choose,
  connect,
  type DeviceReport,
  disconnect,
  isThere,
  nextChange,
  NO_PRESENCE,
  noteReport,
  removeDevices,
  tidy,
  type UserPresence,
} from './presence-state.js';
import { RemotePresence } from './remote-presence.js';
import { isOtherThan, type PresenceChange, shownPresence, type ShownPresence } from './shown-presence.js';

/** What became other. */
export type PresenceListener = (userId: UserId, change: PresenceChange) => void;

type Doing = (user: UserPresence, now: number) => UserPresence;

const TICK_MS = 1_000;
/** So long after a start it is waited for those who were there before. */
const GRACE_MS = 60_000;
/** How many are remembered who are not there. */
const MAX_AWAY = 20_000;
const NO_ONE = (): void => {};

/**
 * Who is there (client-server API, "Presence", and that of 2014/15): in the memory of this process, from what their devices say and
 * do. Of it the log has only what outlives a restart (`KeptPresence`). Where presence is off by configuration everybody is offline.
 */
@Injectable()
export class Presence implements OnModuleInit, OnModuleDestroy {
  readonly isOn: boolean;
  /** Those used last are at the end. */
  readonly #entries = new Map<UserId, Entry>();
  readonly #loading = new RunsUnderWay<UserId, Entry | undefined>();
  readonly #due = new DueTimes<UserId>();
  readonly #turns = new KeyedQueue<UserId>();
  readonly #listeners = new Set<PresenceListener>();
  /** What is being kept. */
  readonly #keeping = new Map<UserId, Promise<void>>();
  readonly #log = new Logger('presence');
  #ticks: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;

  constructor(
    @Inject(CONFIG) config: Pick<Config, 'presence'>,
    @Inject(CLOCK) private readonly clock: Clock & Stopwatch,
    private readonly kept: KeptPresence,
    private readonly remote: RemotePresence,
  ) {
    this.isOn = config.presence;
    remote.onChange((userId, change) => this.#tell(userId, change));
  }

  onModuleInit(): void {
    if (this.isOn) this.#grace = setTimeout(() => void this.endGrace(), GRACE_MS).unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearTimeout(this.#grace);
    clearInterval(this.#ticks);
    await Promise.all(this.#keeping.values());
  }

  /** How many are remembered, for metrics. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * An event stream of the requester's device begins: as long as it lasts, and a little longer, they are there. `said`: what it says of
   * presence, as `set_presence` of /sync; undefined where it says nothing. Answers what ends it.
   */
  async connect({ userId, deviceId }: Requester, said: DeviceState | undefined): Promise<() => void> {
    const entry = this.isOn ? await this.#open(userId) : undefined;
    if (entry === undefined) return NO_ONE;
    this.#apply(entry, (user, now) => connect(user, deviceId, said, now));
    if (said === 'offline') return NO_ONE;
    let isOpen = true;
    return () => {
      if (isOpen) this.#apply(entry, (user, now) => disconnect(user, deviceId, now));
      isOpen = false;
    };
  }

  /** Notes that somebody did something with a device: sent, read, typed, logged in. */
  act(userId: UserId, deviceId: DeviceId): void {
    this.#later(userId, (user, now) => act(user, deviceId, now));
  }

  /** Sets the requester's presence and the message beside it, durably as far as it outlives a restart. */
  choose(requester: Requester, said: SaidState, statusMsg: string | undefined): Promise<void> {
    return this.#keepAndApply(requester, (user, now) => choose(user, requester.deviceId, said, statusMsg, now));
  }

  /** Notes how long nobody has done anything with the requester's device, and of what kind it is, durably; what is undefined is left as it is. */
  report(requester: Requester, report: DeviceReport): Promise<void> {
    return this.#keepAndApply(requester, (user, now) => noteReport(user, requester.deviceId, report, now));
  }

  /** Devices of a user are no more. */
  removeDevices(userId: UserId, ids: readonly DeviceId[]): void {
    if (this.#entries.has(userId)) this.#later(userId, (user) => removeDevices(user, ids));
  }

  /** A user's name or picture is another one now. */
  noteProfile(userId: UserId): void {
    if (this.#entries.has(userId)) this.#tell(userId, { ofOthers: true, wakes: false });
  }

  /** An account is no more: nothing of it is remembered. */
  forget(userId: UserId): void {
    const entry = this.#entries.get(userId);
    if (entry === undefined) return;
    entry.kept = {};
    this.#apply(entry, () => NO_PRESENCE);
    this.#entries.delete(userId);
    this.#due.delete(userId);
  }

  /** Whether anything of a user is in memory. */
  knows(userId: UserId): boolean {
    return this.#entries.has(userId) || this.remote.find(userId) !== undefined;
  }

  /** A user's presence as far as it is in memory. */
  find(userId: UserId): ShownPresence | undefined {
    const entry = this.#entries.get(userId);
    return entry === undefined ? this.remote.find(userId) : shownPresence(entry.user, this.clock.elapsed());
  }

  /** A user's presence; undefined where there is no such account here, or none any more. */
  async get(userId: UserId): Promise<ShownPresence | undefined> {
    const known = this.find(userId);
    if (known !== undefined || !this.isOn) return known;
    const entry = await this.#open(userId);
    return entry && shownPresence(entry.user, this.clock.elapsed());
  }

  /** Calls the listener after each change that somebody may have to hear of, also of those that time makes. Answers how to end that. */
  onChange(listener: PresenceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks at those for whom time has come. Called by a timer of its own. */
  tick(): void {
    const now = this.clock.elapsed();
    for (const userId of this.#due.take(now)) {
      const entry = this.#entries.get(userId);
      if (entry !== undefined) this.#apply(entry, tidy);
    }
    if (this.#due.size > 0) return;
    clearInterval(this.#ticks);
    this.#ticks = undefined;
  }

  /**
   * Tells that those have not come back who were there before the start. Who they were to clients that were told of them by an earlier
   * run is in the log alone.
   */
  async endGrace(): Promise<void> {
    try {
      for await (const userId of this.kept.listPresent()) {
        const entry = await this.#open(userId);
        if (entry === undefined || isThere(entry.user, this.clock.elapsed())) continue;
        this.#tell(userId, { ofOthers: true, wakes: true });
        this.#apply(entry, tidy);
        await this.#keeping.get(userId);
      }
    } catch (error) {
      this.#log.warn({ err: error }, 'those who did not come back after the start are told of later');
      this.#grace = setTimeout(() => void this.endGrace(), GRACE_MS).unref();
    }
  }

  /** Does something that somebody says, once as much of it is kept as outlives a restart. */
  async #keepAndApply({ userId, deviceId }: Requester, doing: Doing): Promise<void> {
    if (!this.isOn) return;
    await this.#turns.run(userId, async () => {
      const entry = await this.#open(userId);
      if (entry === undefined) return;
      const now = this.clock.elapsed();
      const kept = keptOf(doing(entry.user, now), now, this.clock.now());
      if (!isKeptAlike(entry.kept, kept)) {
        await this.kept.keep(userId, kept, { actor: userId, device: deviceId });
        entry.kept = kept;
      }
      this.#apply(entry, doing);
    });
  }

  /** Does something to a user's presence at once where it is in memory, else once it is. */
  #later(userId: UserId, doing: Doing): void {
    if (!this.isOn) return;
    const entry = this.#entries.get(userId);
    if (entry !== undefined) return this.#apply(entry, doing);
    // Where nothing can be read of them nobody can be told of them either.
    this.#open(userId).then(
      (opened) => opened && this.#apply(opened, doing),
      () => {},
    );
  }

  #open(userId: UserId): Promise<Entry | undefined> {
    const known = this.#entries.get(userId);
    if (known !== undefined) return Promise.resolve(known);
    return this.#loading.run(userId, () => this.#load(userId));
  }

  async #load(userId: UserId): Promise<Entry | undefined> {
    const kept = await this.kept.find(userId);
    if (kept === undefined) return undefined;
    const entry = entryOf(userId, kept, this.clock);
    this.#entries.set(userId, entry);
    this.#forgetSomebody();
    return entry;
  }

  #apply(entry: Entry, doing: Doing): void {
    const { userId } = entry;
    // An account that is no more has no entry, whoever still holds it.
    if (this.#entries.get(userId) !== entry) return;
    this.#entries.delete(userId);
    this.#entries.set(userId, entry);
    const now = this.clock.elapsed();
    entry.user = doing(entry.user, now);
    const shown = shownPresence(entry.user, now);
    const change = isOtherThan(entry.shown, shown);
    entry.shown = shown;
    this.#schedule(entry, now);
    this.#keepWhereDue(entry, now);
    if (change !== undefined) this.#tell(userId, change);
  }

  #tell(userId: UserId, change: PresenceChange): void {
    for (const listener of this.#listeners) listener(userId, change);
  }

  #schedule({ userId, user }: Entry, now: number): void {
    this.#due.set(userId, nextChange(user, now));
    if (this.#ticks === undefined && this.#due.size > 0) {
      this.#ticks = setInterval(() => this.tick(), TICK_MS).unref();
    }
  }

  /** In nobody's way: what cannot be kept now is kept with what comes next. */
  #keepWhereDue(entry: Entry, now: number): void {
    const before = entry.kept;
    const kept = keptOf(entry.user, now, this.clock.now());
    if (!isKeepDue(before, kept)) return;
    entry.kept = kept;
    const { userId } = entry;
    const keeping = this.kept
      .keep(userId, kept, { actor: 'server' })
      .catch((error: unknown) => {
        if (entry.kept === kept) entry.kept = before;
        this.#log.warn({ err: error, userId }, 'what is to outlive a restart of a presence is kept later');
      })
      .finally(() => {
        if (this.#keeping.get(userId) === keeping) this.#keeping.delete(userId);
      });
    this.#keeping.set(userId, keeping);
  }

  /** PERF: whoever has been away for longest is near the beginning of the map. */
  #forgetSomebody(): void {
    if (this.#entries.size <= MAX_AWAY) return;
    for (const [userId, { user }] of this.#entries) {
      if (user.devices.size > 0) continue;
      this.#entries.delete(userId);
      this.#due.delete(userId);
      return this.#tell(userId, 'forgotten');
    }
  }
}
