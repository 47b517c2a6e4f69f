import { Inject, Injectable, Logger } from '@nestjs/common';
import { RoomPurges } from '#admin/purges/room-purges';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { RoomAlias, RoomId } from '#kernel/ids';
import { awaitShown } from '#projections/await-shown';
import { ByTheClock } from '#projections/by-the-clock';
import { HELD_CLOCK, type HeldClock } from '#projections/held-clock';
import { AT_LATEST_MS } from '#projections/regular-looks';
import { VIEWS, type Views } from '#projections/views';
import { ALIAS_BOOK, type AliasBook } from '#rooms/alias-book';
import { DESERTED_ROOMS } from '#rooms/projections/deserted-rooms.projector';

/** So many are ordered at a look, and the rest at the next, a minute later: the log is for others too. */
const AT_ONCE = 100;
const SOON_MS = 60_000;

/** Orders the purge of rooms that nobody of this server has had to do with for as long as the operator lets them be, but for those that are to stay. */
@Injectable()
export class DesertedRooms extends ByTheClock {
  readonly #log = new Logger('processes');

  constructor(
    private readonly purges: RoomPurges,
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
    @Inject(EVENT_STORE) private readonly events: Pick<EventStore, 'head'>,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(HELD_CLOCK) private readonly clock: HeldClock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'purge'>,
  ) {
    super();
  }

  protected beginToLook(): void {
    if (this.config.purge.afterMs !== undefined) this.looks.begin(this.views, [DESERTED_ROOMS.name], this.events);
  }

  protected async doDue(): Promise<number> {
    const { afterMs } = this.config.purge;
    return afterMs === undefined ? AT_LATEST_MS : this.#orderDue((await this.clock.now()) - afterMs);
  }

  protected lookFailed(error: unknown): void {
    this.#log.warn({ err: error }, 'rooms that nobody is in were not looked for');
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
        if (this.looks.isStopped) return AT_LATEST_MS;
        if (Number(since) > before) return Number(since) - before;
        if (kept.has(roomId)) continue;
        await this.purges.order({ room_id: roomId, because: 'deserted' }, 'server');
        if (++ordered === AT_ONCE) return SOON_MS;
      }
    }
    return AT_LATEST_MS;
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
