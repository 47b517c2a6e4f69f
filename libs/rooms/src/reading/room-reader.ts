import type { EventId, RoomId } from '#kernel/ids';
import { type Place, type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import type { RowHeader, TimelineRow } from '../projections/timeline-row.js';
import { maySee, type SeenHeader } from './may-see.js';
import { mayHideMessages } from './may-hide-messages.js';
import { Memberships } from './memberships.js';
import { findPastStandings, OUTSIDE, type PastStanding } from './past-standing.js';
import { type Reader, refusesInvitations } from './reader.js';
import { findLifetime } from './room-lifetime.js';
import { hasForgotten, listStandings, type Standing } from './standing.js';

/**
 * A reader before a room: every question of who may read what of it is asked here. What concerns one event or place is about
 * the stretch that `memberships` covers; `over` widens it.
 */
export class RoomReader {
  /** What was asked of the room once, for all readers that are made of this one. */
  #asked: { lifetime?: Promise<number | undefined>; seesHidden?: Promise<boolean> } = {};

  constructor(
    readonly views: Views,
    readonly roomId: RoomId,
    readonly reader: Reader,
    readonly memberships: Memberships,
    readonly now: Standing | undefined,
    /** What the reader was at those events that are covered of which the graph alone tells it. */
    private readonly past: ReadonlyMap<EventId, PastStanding> = NO_PAST,
  ) {}

  /** What the reader is now; undefined where the room never heard of them, or they have forgotten it. */
  get membership(): string | undefined {
    return this.now?.membership;
  }

  /** Where the reader's last stay ended; undefined for who is in the room or never was. */
  get left(): Position | undefined {
    const { now } = this;
    return now === undefined || now.membership === 'join' || now.left === START ? undefined : now.left;
  }

  /** Whether the reader is in the room now: what is for members alone (typing, who is in it) is for these. */
  get isIn(): boolean {
    return this.membership === 'join';
  }

  /** Whether the reader is in the room or was, and has not forgotten it. */
  get wasIn(): boolean {
    return this.isIn || this.left !== undefined;
  }

  /** Whether the reader is in the room, and has been from a place on. */
  isInSince(position: Position): boolean {
    return this.isIn && this.now!.since <= position;
  }

  /** As `findLifetime`, of this room. One read, however often it is asked for. */
  lifetime(): Promise<number | undefined> {
    return (this.#asked.lifetime ??= findLifetime(this.views, this.roomId));
  }

  /** Whether the reader is shown what is hidden. Nobody is who is not in the room. One read, however often it is asked for. */
  seesHidden(): Promise<boolean> {
    if (!this.isIn) return Promise.resolve(false);
    return (this.#asked.seesHidden ??= mayHideMessages(this.views, this.roomId, this.reader.userId));
  }

  /** Whether a member event with this state key says what the reader is. */
  isAbout(stateKey: string | undefined): boolean {
    return stateKey === this.reader.userId;
  }

  /** Whether the rules of history visibility let the reader see an event, and it is there for clients. Only for what is covered. */
  maySee(header: SeenHeader): boolean {
    if (header.isWaiting === true) return false;
    return maySee(header, this) || (header.isHistory === true && this.#pastOf(header).isFound === true);
  }

  /** What the reader was just after an event. Only for what is covered. */
  membershipAt(header: SeenHeader): string {
    return isInGraphAlone(header) ? this.#pastOf(header).membership : this.memberships.at(header.position);
  }

  /** What the reader was just before an event. Only for what is covered. */
  membershipBefore(header: SeenHeader): string {
    return isInGraphAlone(header) ? this.#pastOf(header).before : this.memberships.before(header.position);
  }

  /** Whether the reader was in the room just after an event or at any time later. */
  isInLater(header: SeenHeader): boolean {
    return header.isHistory === true ? this.#pastOf(header).isInLater : this.memberships.isInLater(header.position);
  }

  /** Who has forgotten the room, or never was in it, was nothing at any event. */
  #pastOf({ eventId }: SeenHeader): PastStanding {
    return (eventId && this.past.get(eventId)) ?? OUTSIDE;
  }

  /** Whether the reader is shown an event: may see it, and does not ignore its sender. Only for what is covered. */
  isShown(header: RowHeader): boolean {
    return !this.ignores(header) && this.maySee(header);
  }

  /**
   * Whether the reader does not want an event: "the client will no longer receive events sent by that user, with the
   * exception of state events", and "invites […] by ignored users will not be sent to the client" ("Ignoring Users").
   */
  ignores({ sender, stateKey, membership }: RowHeader): boolean {
    if (membership === 'invite' && stateKey === this.reader.userId)
      return refusesInvitations(this.reader, this.roomId, sender);
    return stateKey === undefined && this.reader.ignored.has(sender);
  }

  /** Whether an event changes what the reader is in the room. Streams tell of these whatever else may be seen. */
  isOwnMembership({ membership, stateKey }: RowHeader): boolean {
    return membership !== undefined && this.isAbout(stateKey);
  }

  /**
   * The same reader over the stretch of the log in which these events stand, and over those of the past among them and those at
   * which the room forked. Costs nothing who was in the room throughout.
   */
  async over(rows: readonly Pick<TimelineRow, 'header'>[]): Promise<RoomReader> {
    let from: Position | undefined;
    let to = START;
    const past: RowHeader[] = [];
    for (const { header } of rows) {
      if (isInGraphAlone(header)) past.push(header);
      if (header.isHistory === true) continue;
      if (from === undefined || header.position < from) from = header.position;
      if (header.position > to) to = header.position;
    }
    const there = from === undefined ? this : await this.overStretch(from, to);
    return past.length === 0 ? there : there.#overPast(past);
  }

  async #overPast(events: readonly RowHeader[]): Promise<RoomReader> {
    const { views, roomId, reader, memberships, now, past } = this;
    const unknown = events.filter(({ eventId }) => !past.has(eventId));
    if (now === undefined || unknown.length === 0) return this;
    const found = await findPastStandings(views, roomId, reader.userId, now, unknown);
    return this.#sharing(new RoomReader(views, roomId, reader, memberships, now, new Map([...past, ...found])));
  }

  /** The same reader over a stretch of the log, with what stands at both its ends. */
  async overStretch(from: Place, to: Place): Promise<RoomReader> {
    return this.#with(await this.memberships.over(positionAt(from), positionAt(to)));
  }

  /** Those of some events that the reader is shown. */
  async shownOf(rows: readonly TimelineRow[]): Promise<TimelineRow[]> {
    const there = await this.over(rows);
    return rows.filter(({ header }) => there.isShown(header));
  }

  #with(memberships: Memberships): RoomReader {
    if (memberships === this.memberships) return this;
    const { views, roomId, reader, now, past } = this;
    return this.#sharing(new RoomReader(views, roomId, reader, memberships, now, past));
  }

  #sharing(other: RoomReader): RoomReader {
    other.#asked = this.#asked;
    return other;
  }
}

/**
 * Whether what somebody was at an event is not what they were when it came: of an event of the past, and of one that was made without
 * knowledge of what this server had by then.
 */
function isInGraphAlone({ isHistory, isAside }: SeenHeader): boolean {
  return isHistory === true || isAside === true;
}

const NO_PAST: ReadonlyMap<EventId, PastStanding> = new Map();

/** Read at first: nearly everybody was invited, joined and nothing else, and then their whole life in the room is known. */
const FIRST_LOOK = 3;

/** Puts a reader before a room, whether or not they may read anything of it. One read for who is in it. */
export async function findRoomReader(views: Views, roomId: RoomId, reader: Reader): Promise<RoomReader> {
  const { userId } = reader;
  const standings = await listStandings(views, roomId, userId, { limit: FIRST_LOOK });
  const [now] = standings;
  // Only who is not in a room can have forgotten it.
  const isStranger = now === undefined || (now.membership !== 'join' && (await hasForgotten(views, roomId, userId)));
  if (isStranger) return new RoomReader(views, roomId, reader, Memberships.NONE, undefined);
  const isAll = standings.length < FIRST_LOOK;
  const memberships = Memberships.of({ views, roomId, userId }, now, standings, isAll);
  return new RoomReader(views, roomId, reader, memberships, now);
}

/** A reader who is known to be in a room, and to have been ever since a position. No read. */
export function memberSince(views: Views, roomId: RoomId, reader: Reader, since: Position): RoomReader {
  const now: Standing = { membership: 'join', since, left: START };
  const memberships = Memberships.of({ views, roomId, userId: reader.userId }, now, [now], false);
  return new RoomReader(views, roomId, reader, memberships, now);
}

function positionAt(place: Place): Position {
  return typeof place === 'string' ? place : place.before;
}
