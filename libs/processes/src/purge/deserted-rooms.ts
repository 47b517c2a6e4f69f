import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { RoomPurges } from '#admin/purges/room-purges';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomAlias, RoomId } from '#kernel/ids';
import { SharedRuns } from '#kernel/shared-runs';
import { awaitShown, whenShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import { ALIAS_BOOK, type AliasBook } from '#rooms/alias-book';
import { DESERTED_ROOMS } from '#rooms/projections/deserted-rooms.projector';

/** The longest a look is put off: timers end with the process, and clocks jump. */
const LOOK_MS = 60 * 60_000;
/** So many are ordered at a look, and the rest at the next, a minute later: the log is for others too. */
const AT_ONCE = 100;
const SOON_MS = 60_000;

/** Orders the purge of rooms that nobody of this server has had to do with for as long as the operator lets them be, but for those that are to stay. */
@Injectable()
export class DesertedRooms implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #log = new Logger('processes');
  readonly #looks = new SharedRuns(() => this.#look());
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(
    private readonly purges: RoomPurges,
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
    @Inject(EVENT_STORE) private readonly events: Pick<EventStore, 'head'>,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'purge'>,
  ) {}

  /** The projections begin after this, and there is nothing to look at before; where they end before they have, nobody looks. */
  onApplicationBootstrap(): void {
    if (this.config.purge.afterMs === undefined) return;
    whenShown(this.views, [DESERTED_ROOMS.name], this.events).then(
      () => void this.#looks.run(),
      () => {},
    );
  }

  async onModuleDestroy(): Promise<void> {
    this.#isStopped = true;
    await this.#looks.run();
  }

  /** Throws nothing: what cannot be done now is done at the next look. */
  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    const { afterMs } = this.config.purge;
    if (afterMs === undefined || this.#isStopped) return;
    let nextMs = LOOK_MS;
    try {
      nextMs = await this.#orderDue(this.clock.now() - afterMs);
    } catch (error) {
      this.#log.warn({ err: error }, 'rooms that nobody is in were not looked for');
    }
    this.#timer = setTimeout(() => void this.#looks.run(), Math.min(nextMs, LOOK_MS)).unref();
  }

  /**
   * Orders the purge of those that nobody had to do with since before a moment, by all that the log has now, and answers when to look again.
   * Throws ViewsUnavailable where the views do not show that.
   */
  async #orderDue(before: number): Promise<number> {
    await awaitShown(this.views, DESERTED_ROOMS.name, await this.events.head(), 'who is in rooms');
    const kept = await this.#kept();
    let ordered = 0;
    for await (const page of DESERTED_ROOMS.pages(this.views, {})) {
      for (const { key } of page) {
        const [since, roomId] = key;
        if (this.#isStopped) return LOOK_MS;
        if (Number(since) > before) return Number(since) - before;
        if (kept.has(roomId)) continue;
        await this.purges.order({ room_id: roomId, because: 'deserted' }, 'server');
        if (++ordered === AT_ONCE) return SOON_MS;
      }
    }
    return LOOK_MS;
  }

  async #kept(): Promise<ReadonlySet<RoomId>> {
    const kept = new Set((await this.purges.load()).held.keys());
    for (const name of this.config.purge.except) {
      const roomId = name.startsWith('#') ? await this.aliases.resolve(name as RoomAlias) : (name as RoomId);
      if (roomId !== undefined) kept.add(roomId);
    }
    return kept;
  }
}
