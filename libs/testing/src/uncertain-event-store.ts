import type { Appended, ExpectedRevision, NewFact } from '#event-store/event-store';
import { MemoryEventStore } from './memory-event-store.js';

/** What becomes of an append whose writer is told nothing. */
export type Fate = 'done' | 'never done' | 'done late';

/** A log beyond a connection that breaks when a test says so: the writer gets an error, whatever became of the append. */
export class UncertainEventStore extends MemoryEventStore {
  #fates: Fate[] = [];
  #late: (() => Promise<unknown>)[] = [];
  /** Whether what is late is carried out when the next append arrives, before that. */
  lateBeforeNext = false;

  /** The next appends, one for each of these, are answered by an error. */
  breakNext(...fates: readonly Fate[]): void {
    this.#fates.push(...fates);
  }

  /** Carries out what is late, as the server that the writers have lost would: what does not fit any more is dropped. */
  async carryOutLate(): Promise<void> {
    for (const append of this.#late.splice(0)) await append().catch(() => {});
  }

  override async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    if (this.lateBeforeNext) await this.carryOutLate();
    const fate = this.#fates.shift();
    if (fate === undefined) return super.append(stream, expected, facts);
    if (fate === 'done') await super.append(stream, expected, facts);
    if (fate === 'done late') this.#late.push(() => super.append(stream, expected, facts));
    throw new Error('the connection to the log was lost');
  }
}
