import { erasureOf, findErasedUsers } from '#accounts/queries/erased-users';
import { type EventId, isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { type AgeingEvent, isAsOldAs, SHORTEST_LIFETIME_MS } from '../decide/retention.js';
import { PARTIAL_ROOMS, type PartialRoomRow } from '../projections/partial-rooms.projector.js';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { rowHeaderOf } from '../projections/timeline-row.js';
import { maySee, type SeenHeader, type SeeingReader } from './may-see.js';
import { type PastServerStanding, PastServerStandings } from './past-server-standing.js';
import { findLifetime } from './room-lifetime.js';
import { findServerStanding, isServerIn } from './server-standing.js';
import type { Standing } from './standing.js';
import { SERVED_BY } from './withhold-expired.js';

/** What the rules look at of an event that another server asks for. */
export interface ServedEvent extends SeenHeader, AgeingEvent {
  readonly eventId: EventId;
  readonly sender: UserId;
  /** It is known as a part of a state or of an auth chain alone: what was visible at it, and to whom, is not known. */
  readonly isPlaceless?: boolean;
}

/** By which events others are authorised. A redaction may take away from them what the rules of authorisation read. */
const AUTHORISING: ReadonlySet<string> = new Set([
  'm.room.create',
  'm.room.join_rules',
  'm.room.member',
  'm.room.power_levels',
  'm.room.third_party_invite',
]);

/** Whether an event may authorise others: part of an auth chain, it is served as it is to who is told that chain. */
export function mayAuthorise({ type, stateKey }: Pick<SeenHeader, 'type' | 'stateKey'>): boolean {
  return stateKey !== undefined && AUTHORISING.has(type);
}

/**
 * Another server before a room. It may see what one of its users may (client-server API, "Room History Visibility"), be it one who is
 * there now; what its own users said or became; and, while it is in the room, what the state of now holds. What it may not see is
 * handed on redacted where others stand on it.
 */
export class ServerReader {
  readonly #past: PastServerStandings;

  constructor(
    readonly views: Views,
    readonly roomId: RoomId,
    readonly server: ServerName,
    /** What it is now; undefined where the room never heard of it. */
    readonly now: Standing | undefined,
    /** Where the room came here in part. */
    private readonly part?: PartialRoomRow,
  ) {
    this.#past = new PastServerStandings(views, roomId, server);
  }

  /** Whether it has somebody in the room now. */
  get isIn(): boolean {
    return this.now?.membership === 'join';
  }

  /** Whether it has or had somebody in the room. */
  get wasIn(): boolean {
    return this.isIn || (this.now?.left ?? START) > START;
  }

  /** Those of some events that it may see, by their ids. */
  async seenOf(events: readonly ServedEvent[]): Promise<ReadonlySet<EventId>> {
    const seen = new Set<EventId>();
    const hidden: ServedEvent[] = [];
    for (const event of events) {
      if (this.#isOwn(event) || (await this.#mayByRules(event))) seen.add(event.eventId);
      else hidden.push(event);
    }
    for (const eventId of await this.#inForceOf(hidden)) seen.add(eventId);
    for (const eventId of await this.#withheldOf(events.filter((event) => seen.has(event.eventId))))
      seen.delete(eventId);
    return seen;
  }

  /** Those of some events that it is told whole: which it may see, and the room keeps (as `withholdExpired` for a user). */
  async wholeOf(events: readonly ServedEvent[]): Promise<ReadonlySet<EventId>> {
    const now = SERVED_BY.now();
    const mayBeOver = events.some((event) => isAsOldAs(event, SHORTEST_LIFETIME_MS, now));
    const lifetime = mayBeOver ? await findLifetime(this.views, this.roomId) : undefined;
    return this.seenOf(lifetime === undefined ? events : events.filter((event) => !isAsOldAs(event, lifetime, now)));
  }

  /** As `seenOf`, of one event. */
  async maySee(event: ServedEvent): Promise<boolean> {
    return (await this.seenOf([event])).has(event.eventId);
  }

  /**
   * Those of some events at which it may see the room too, what it was there and before. That it may see an event for being of its own users,
   * as the knock or the ban of somebody who has left, or for being in force, says nothing of what was around it.
   */
  async withinOf<Event extends ServedEvent>(events: readonly Event[]): Promise<Event[]> {
    const within: Event[] = [];
    for (const event of events) if (await this.#mayByRules(event)) within.push(event);
    return within;
  }

  #isOwn({ sender, type, stateKey }: ServedEvent): boolean {
    return this.#isOf(sender) || (type === 'm.room.member' && this.#isOf(stateKey));
  }

  #isOf(userId: string | undefined): boolean {
    return userId !== undefined && isUserId(userId) && serverNameOf(userId) === this.server;
  }

  /** PERF: nothing is read where everybody may see it, or everybody who is in the room. */
  async #mayByRules(event: ServedEvent): Promise<boolean> {
    if (event.isPlaceless === true) return false;
    const visibilities = [event.visibility, event.setsVisibility];
    if (visibilities.includes('world_readable') || (this.isIn && visibilities.includes('shared'))) return true;
    if (this.now === undefined) return false;
    return maySee(event, await this.#standingAt(event));
  }

  async #standingAt(event: ServedEvent): Promise<SeeingReader> {
    const isAbout = (userId: string | undefined): boolean => this.#isOf(userId);
    const isOwn = event.type === 'm.room.member' && isAbout(event.stateKey);
    const find =
      event.isHistory === true || event.isAside === true
        ? this.#inGraph(event, event.position)
        : (this.#inPart(event) ?? this.#inLog(event));
    const after = await find('after');
    const before = isOwn ? await find('before') : after;
    // When an event of the past was sent is not known from the place at which it was fetched.
    const since = event.isHistory === true ? after.since : event.position;
    const isInLater = this.isIn || (since !== undefined && (this.now?.left ?? START) > since);
    return {
      isAbout,
      membershipAt: () => after.membership,
      membershipBefore: () => before.membership,
      isInLater: () => isInLater,
    };
  }

  /** `upTo`: how far the graph must have come. */
  #inGraph({ eventId }: ServedEvent, upTo: Position): (when: 'before' | 'after') => Promise<PastServerStanding> {
    return (when) => this.#past[when](eventId, upTo);
  }

  /**
   * Of what came while a part of the room was here the log tells the members behind it, and the graph once more by all of them. undefined
   * for what came later, and as long as nothing is known but which servers are there.
   */
  #inPart(event: ServedEvent): ((when: 'before' | 'after') => Promise<PastServerStanding>) | undefined {
    if (this.part === undefined) return undefined;
    const { until, since } = this.part;
    if (until !== undefined) return event.position < until ? this.#inGraph(event, until) : undefined;
    return isNamed(this.part, this.server) ? () => Promise.resolve({ membership: 'join', since }) : undefined;
  }

  #inLog({ position }: ServedEvent): (when: 'before' | 'after') => Promise<PastServerStanding> {
    return async (when) => {
      const moment = when === 'after' ? { at: position } : { before: position };
      const found = await findServerStanding(this.views, this.roomId, this.server, moment);
      return { membership: found?.membership ?? 'leave', since: found?.since };
    };
  }

  /** Those of some events that hold a key of the state of now, which who is in the room is told whenever it was set. */
  async #inForceOf(events: readonly ServedEvent[]): Promise<EventId[]> {
    const states = this.isIn ? events.filter(({ stateKey }) => stateKey !== undefined) : [];
    if (states.length === 0) return [];
    const rows = await ROOM_STATE.getMany(
      this.views,
      states.map(({ type, stateKey = '' }) => [this.roomId, type, stateKey]),
    );
    return states.flatMap(({ eventId }, i) => {
      const row = rows[i];
      return row !== undefined && rowHeaderOf(row).eventId === eventId ? [eventId] : [];
    });
  }

  /** Those of some events whose senders had erased themselves before the server came (as `withholdErased` for a user). */
  async #withheldOf(events: readonly ServedEvent[]): Promise<EventId[]> {
    const personal = events.filter(({ type, stateKey, sender }) => {
      return (stateKey === undefined || type === 'm.room.member') && !this.#isOf(sender);
    });
    const erased = await findErasedUsers(this.views, new Set(personal.map(({ sender }) => sender)));
    const withheld: EventId[] = [];
    for (const event of erased.size === 0 ? [] : personal) {
      const at = erasureOf(erased.get(event.sender) ?? [], event);
      if (at === undefined) continue;
      const standing = await this.#standingAt(event);
      if (standing.membershipAt(event) === 'join') continue;
      const then = await findServerStanding(this.views, this.roomId, this.server, { at });
      const hadSeen =
        then !== undefined && (then.membership === 'join' || (event.isHistory !== true && then.left > event.position));
      if (!hadSeen) withheld.push(event.eventId);
    }
    return withheld;
  }
}

/**
 * Puts a server before a room, whether or not it may read anything of it. Of a room of which a part is here those servers are in it that
 * were named: their members are yet to be told. One read of either.
 */
export async function findServerReader(views: Views, roomId: RoomId, server: ServerName): Promise<ServerReader> {
  const [standing, part] = await Promise.all([
    findServerStanding(views, roomId, server),
    PARTIAL_ROOMS.get(views, [roomId]),
  ]);
  const isInByName = part?.until === undefined && isNamed(part, server) && standing?.membership !== 'join';
  const now = isInByName ? { membership: 'join', since: part!.since, left: standing?.left ?? START } : standing;
  return new ServerReader(views, roomId, server, now, part);
}

function isNamed(part: PartialRoomRow | undefined, server: ServerName): boolean {
  return part?.servers.includes(server) === true;
}

/** Which servers the access lists of rooms let take part, as of the views (`ServerAcls`). */
export interface AccessLists {
  isLetIn(roomId: RoomId, server: ServerName): Promise<boolean>;
}

/** By what a server is let in. */
export interface OpenBy {
  readonly views: Views;
  readonly acls: AccessLists;
}

/**
 * Lets a server in that is or was in the room, and that the room's access list does not keep out. Throws M_FORBIDDEN, for unknown
 * rooms too: whether a room exists is nobody's business who may not read it.
 */
export async function openToServer({ views, acls }: OpenBy, roomId: RoomId, server: ServerName): Promise<ServerReader> {
  const reader = await findServerReader(views, roomId, server);
  if (!reader.wasIn) throw new MatrixError('M_FORBIDDEN', `${server} is not in this room`);
  if (!(await acls.isLetIn(roomId, server))) {
    throw new MatrixError('M_FORBIDDEN', `${server} may take no part in this room`);
  }
  return reader;
}

/**
 * As `openToServer`, for what is said of a room as of now. Of one that all of this server have left the others are told its history, as
 * far as they had a part in it, for nobody else may have what came before the last leaving; what has become of it since those know who
 * are in it. Throws M_NOT_FOUND of such a room.
 */
export async function openToServerNow(
  by: OpenBy,
  roomId: RoomId,
  server: ServerName,
  ours: ServerName,
): Promise<ServerReader> {
  const reader = await openToServer(by, roomId, server);
  if (!(await isServerIn(by.views, roomId, ours))) {
    throw new MatrixError('M_NOT_FOUND', 'Nobody of this server is in this room');
  }
  return reader;
}
