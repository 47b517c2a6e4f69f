import type { Clock, Stopwatch } from '#kernel/clock';
import type { RecordedFact } from './event-store.js';

/** So long after something was claimed, what it was claimed for is in the log, or never will be: in milliseconds. */
export const DONE_BY_THEN_MS = 60_000;
/** So many claims are watched at once; of one that was forgotten the minute begins anew. */
const MOST_WATCHED = 1_000;

/** What is looked at of the fact of a claim. */
export interface ClaimFact extends Pick<RecordedFact, 'stream' | 'revision'> {
  readonly metadata: Pick<RecordedFact['metadata'], 'at'>;
}

/** Tells which claims (of an alias for a room, of the use of a token for an account) are of nobody any more. */
export class GivenUpClaims {
  readonly #started: number;
  /** When this process first saw a claim, by its stopwatch. */
  readonly #seen = new Map<string, number>();

  /** `isShared`: other processes write to the log too. */
  constructor(
    private readonly clock: Clock & Stopwatch,
    private readonly isShared: boolean,
  ) {
    this.#started = clock.now();
  }

  /**
   * Whether who claimed something has ended on the way. The fact is that of the claim, and what it was claimed for is not in the log.
   * Where this process alone writes: it was before this one started, or long ago, or the clock was ahead. Else once this process has
   * seen the claim stand there for a minute: at what time another one wrote it is told by that one's clock.
   */
  has({ stream, revision, metadata }: ClaimFact): boolean {
    const { at } = metadata;
    if (!this.isShared) return at < this.#started || Math.abs(this.clock.now() - at) >= DONE_BY_THEN_MS;
    const claim = `${stream} ${revision}`;
    const now = this.clock.elapsed();
    const since = this.#seen.get(claim);
    if (since === undefined) this.#watch(claim, now);
    return since !== undefined && now - since >= DONE_BY_THEN_MS;
  }

  #watch(claim: string, now: number): void {
    const [oldest] = this.#seen.keys();
    if (oldest !== undefined && this.#seen.size >= MOST_WATCHED) this.#seen.delete(oldest);
    this.#seen.set(claim, now);
  }
}
