import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';

/** For so long, in milliseconds, a process adds nothing to what it is at, at most. */
const PATIENCE_MS = 60_000;
/** How often it is looked whether it did. */
const LOOK_MS = 500;

/** What tells of a fact that was written, and when. */
type Written = Pick<RecordedFact, 'revision' | 'metadata'>;

/** Other processes that write to the log of this one: only where that is on a server can there be any. */
@Injectable()
export class OtherProcesses {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'eventStoreUrl'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Waits while another process is at work that takes several writes. `findLast` answers the last fact of that, and undefined once it
   * has ended. Answers whether it was left: nothing came for a minute. Clocks that are ahead of this one, or were so before it was set
   * back, make nobody wait longer.
   */
  async isLeft(findLast: () => Promise<Written | undefined>): Promise<boolean> {
    if (this.config.eventStoreUrl === undefined) return (await findLast()) !== undefined;
    let seen: number | undefined;
    for (let waited = 0; ; waited += LOOK_MS) {
      const last = await findLast();
      if (last === undefined) return false;
      if (last.revision !== seen) waited = 0;
      seen = last.revision;
      if (waited >= PATIENCE_MS || this.clock.now() - last.metadata.at >= PATIENCE_MS) return true;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS).unref());
    }
  }
}
