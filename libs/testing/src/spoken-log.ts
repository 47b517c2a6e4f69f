import type { Position } from '#kernel/position';
import { said } from '#projections/example-projectors';
import { MemoryEventStore } from './memory-event-store.js';

const STREAM = 's';

/** A log in memory in which words are said, one after another. */
export class SpokenLog extends MemoryEventStore {
  /** Answers the position of the last of them. */
  async say(...words: readonly string[]): Promise<Position> {
    const before = this.facts.filter(({ stream }) => stream === STREAM).length;
    const expected = before === 0 ? 'no-stream' : before - 1;
    const facts = words.map((word) => said(word));
    return (await this.append(STREAM, expected, facts)).position;
  }
}
