import type { RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { listStandings, membershipInRoom, type Standing } from './standing.js';

/** How many changes of a membership are read at once. Few people have more in one room. */
const PAGE = 50;

const NEVER: Standing = Object.freeze({ membership: 'leave', since: START, left: START });

/** Whose memberships, and where they are read from. */
interface Source {
  readonly views: Pick<Views, 'scan'>;
  readonly roomId: RoomId;
  readonly userId: UserId;
}

/**
 * What a reader was in a room, over a stretch of the log up to now or to some place: read from its end backwards, as far as
 * somebody asks, and without an end to how often it may have changed. Who has been in the room all along costs no read. `at`
 * and `before` are about places that it covers.
 */
export class Memberships {
  /** Newest first. The oldest may begin later than it says in the log. */
  #standings: readonly Standing[];
  #isComplete: boolean;

  private constructor(
    private readonly source: Source | undefined,
    private readonly now: Standing,
    standings: readonly Standing[],
    isComplete: boolean,
    /** The last position that is covered; undefined: now. */
    private readonly end?: Position,
  ) {
    this.#standings = standings;
    this.#isComplete = isComplete;
  }

  /** Of somebody whose newest standings are known, or all. The oldest of them may have begun earlier than it says. */
  static of(source: Source, now: Standing, newestFirst: readonly Standing[], isComplete: boolean): Memberships {
    return new Memberships(source, now, newestFirst, isComplete);
  }

  /** Of somebody who never was in the room. */
  static readonly NONE = new Memberships(undefined, NEVER, [], true);

  /** What the reader was just after a position: `leave` before there was anything. */
  at(position: Position): string {
    // PERF: asked of every event that is shown, and nearly always about what holds now.
    for (const standing of this.#standings) if (standing.since <= position) return membershipInRoom(standing);
    return NEVER.membership;
  }

  /** What the reader was just before a position. */
  before(position: Position): string {
    return membershipInRoom(this.#standings.find(({ since }) => since < position) ?? NEVER);
  }

  /** Whether the reader was in the room just after a position or at any time later. */
  isInLater(position: Position): boolean {
    return this.now.membership === 'join' || this.now.left > position;
  }

  /** Whether what the reader was just before and after a position is known without a read, and at every one up to another. */
  covers(from: Position, to = from): boolean {
    if (this.end !== undefined && to > this.end) return false;
    const oldest = this.#standings.at(-1);
    return this.#isComplete || (oldest !== undefined && oldest.since < from);
  }

  /** Reads on, back to a position before those that are known. */
  async cover(position: Position): Promise<void> {
    while (this.source !== undefined && !this.covers(position)) {
      const { views, roomId, userId } = this.source;
      const upTo = this.#standings.at(-1)?.since ?? this.end;
      const page = await listStandings(views, roomId, userId, { upTo, limit: PAGE });
      this.#standings = [...this.#standings.slice(0, -1), ...page];
      this.#isComplete = page.length < PAGE;
    }
  }

  /** The same over another stretch: from one position to another, both inclusive. */
  async over(from: Position, to: Position): Promise<Memberships> {
    if (this.covers(from, to)) return this;
    const there = new Memberships(this.source, this.now, [], false, to);
    await there.cover(from);
    return there;
  }
}
