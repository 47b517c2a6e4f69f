import type { ReadStreamOptions, RecordedFact } from '#event-store/event-store';
import { MemoryEventStore } from './memory-event-store.js';

/** A log that tells how often streams were read, and how many facts that cost. */
export class CountingEventStore extends MemoryEventStore {
  reads = 0;
  factsRead = 0;

  override async *readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedFact> {
    this.reads++;
    for await (const fact of super.readStream(stream, options)) {
      this.factsRead++;
      yield fact;
    }
  }

  /** How many facts were read for something. */
  async countFacts(doIt: () => Promise<unknown>): Promise<number> {
    const before = this.factsRead;
    await doIt();
    return this.factsRead - before;
  }
}
