import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { CLOCK, type Stopwatch } from '#kernel/clock';

/** For so long, in milliseconds, a process adds nothing to what it is at, at most. */
const PATIENCE_MS = 60_000;
/** How often it is looked whether it did. */
const LOOK_MS = 500;

/** Other processes that write to the log of this one: only where that is on a server can there be any. */
@Injectable()
export class OtherProcesses {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'eventStoreUrl'>,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
  ) {}

  /**
   * Waits while another process is at work that takes several writes. `findLast` answers the last fact of that, and undefined once it
   * has ended. Answers whether it was left: this process has seen nothing come for a minute. When a fact was written says nothing, for
   * that is told by the clock of whoever wrote it. Where nobody else can write, what is there was left, and nobody waits.
   */
  async isLeft(findLast: () => Promise<Pick<RecordedFact, 'revision'> | undefined>): Promise<boolean> {
    if (this.config.eventStoreUrl === undefined) return (await findLast()) !== undefined;
    let seen: number | undefined;
    for (let since = 0; ;) {
      // Before the look: a process that stood still behind it has seen nothing meanwhile.
      const now = this.stopwatch.elapsed();
      const last = await findLast();
      if (last === undefined) return false;
      if (last.revision !== seen) since = this.stopwatch.elapsed();
      else if (now - since >= PATIENCE_MS) return true;
      seen = last.revision;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS).unref());
    }
  }
}
