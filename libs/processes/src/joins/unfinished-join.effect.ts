import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { Effect } from '#projections/effects/effect';
import { SettleJoin } from '#rooms/commands/settle-join';
import { roomIdOfStream } from '#rooms/facts/room-facts';

/** For so long nothing is written of a join that another process runs, at most, in milliseconds. */
const PATIENCE_MS = 60_000;

/** What stands in the stream while a join is under way. */
const OF_JOIN: ReadonlySet<string> = new Set(['join-begun', 'outlier-stored', 'state-learnt', 'state-taken']);

/** Ends a join of a room of other servers that nobody goes on with, as after the end of a process. */
@Injectable()
export class UnfinishedJoin implements Effect {
  readonly name = 'unfinished-join';

  constructor(
    private readonly commands: CommandBus,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === 'join-begun' ? roomIdOfStream(stream) : undefined;
  }

  async run({ stream }: RecordedFact): Promise<boolean> {
    // Other processes write to a log on a server only.
    if (this.config.eventStoreUrl !== undefined) await this.#untilQuiet(stream);
    return this.commands.execute<SettleJoin, boolean>(new SettleJoin(roomIdOfStream(stream)));
  }

  /** Clocks that are ahead of this one, or were so before it was set back, make nobody wait longer. */
  async #untilQuiet(stream: string): Promise<void> {
    for (let seen: number | undefined; ;) {
      const last = await this.#findLast(stream);
      if (last === undefined || last.revision === seen) return;
      const left = last.metadata.at + PATIENCE_MS - this.clock.now();
      if (left <= 0) return;
      const wait = Math.min(left, PATIENCE_MS);
      await new Promise((resolve) => setTimeout(resolve, wait).unref());
      seen = last.revision;
    }
  }

  /** What was written last of a join; undefined where it has ended. */
  async #findLast(stream: string): Promise<RecordedFact | undefined> {
    for await (const fact of this.store.readStream(stream, { backwards: true, limit: 1 })) {
      return OF_JOIN.has(fact.type) ? fact : undefined;
    }
    return undefined;
  }
}
