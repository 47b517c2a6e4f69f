import { setTimeout as delay } from 'node:timers/promises';
import { type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { ROOM_COUNTS } from '../projections/membership.projector.js';
import { ROOMS } from '../projections/room-summary.projector.js';
import { findMembership } from '../reading/find-membership.js';
import { isDescribedTo, mayKnowOf } from '../reading/may-know-of.js';
import { isServerIn } from '../reading/server-standing.js';
import type { SpaceElsewhere, SpacesElsewhere } from '../spaces-elsewhere.js';
import { describeRoom, type RoomDescription } from './describe-room.js';
import { listSpaceChildren, type SpaceChild } from './list-space-children.js';

/** A room of the tree, with what there is to tell of it. */
export interface HierarchyRoom {
  readonly roomId: RoomId;
  readonly described: RoomDescription;
  /** Of a space. */
  readonly children: readonly SpaceChild[];
  /** What another server has said of it. */
  readonly told?: SpaceElsewhere;
}

/** A room that a space names, which may be one that is not here. */
export interface HierarchyStep {
  readonly roomId: RoomId;
  readonly via: readonly ServerName[];
  /** What the server of the space has said of it; `closed`: that nobody here may know of it. */
  readonly told?: RoomDescription | 'closed';
  /** What other servers say of it, who were asked already. */
  readonly asked?: Promise<SpaceElsewhere | undefined>;
}

/** So many rooms are asked for because of one request, and for so long. */
const MOST_ASKED = 50;
const WITHIN_MS = 15_000;

/** The rooms that a user may know of, those of other servers too. For one request. */
export class HierarchyRooms {
  readonly #over = new AbortController();
  #tooLate: Promise<undefined> | undefined;
  #asked = 0;

  constructor(
    private readonly views: Views,
    private readonly userId: UserId,
    private readonly suggestedOnly: boolean,
    private readonly elsewhere: SpacesElsewhere | undefined,
  ) {}

  /** A room; undefined where it is unknown, or not for the user. */
  async find({ roomId, via, told, asked }: HierarchyStep): Promise<HierarchyRoom | undefined> {
    const isHere = await this.#isHere(roomId);
    if (isHere || told === 'closed') return this.#findHere(roomId);
    // Of who is no space there is no more to tell.
    const isEnough = told !== undefined && told.room_type !== 'm.space';
    const space = isEnough ? undefined : await (asked ?? this.#ask(roomId, via));
    const described = space?.described ?? told;
    if (described === undefined) return this.#findHere(roomId);
    if (!(await isDescribedTo(this.views, described, this.userId))) return undefined;
    return { roomId, described, children: this.#wanted(space?.children ?? []), told: space };
  }

  /** The rooms that a room names, in their order; those that are not here are asked for at once. */
  async childrenOf({ children, told }: HierarchyRoom): Promise<HierarchyStep[]> {
    const keys = children.map(({ roomId }) => [roomId] as const);
    const known = await ROOMS.getMany(this.views, keys);
    return children.map(({ roomId, via }, i) => {
      const said = told?.closed.has(roomId) === true ? 'closed' : told?.childrenDescribed.get(roomId);
      const isAsked = known[i] === undefined && said === undefined;
      return { roomId, via, told: said, asked: isAsked ? this.#ask(roomId, via) : undefined };
    });
  }

  /** Nothing is waited for any more. */
  end(): void {
    this.#over.abort();
  }

  #ask(roomId: RoomId, via: readonly ServerName[]): Promise<SpaceElsewhere | undefined> {
    if (this.elsewhere === undefined || this.#asked++ >= MOST_ASKED) return Promise.resolve(undefined);
    this.#tooLate ??= delay(WITHIN_MS, undefined, { signal: this.#over.signal, ref: false }).catch(() => undefined);
    return Promise.race([this.elsewhere.find(roomId, via), this.#tooLate]);
  }

  /** What this server knows of a room in which it is not any more is of the past. */
  #isHere(roomId: RoomId): Promise<boolean> {
    return isServerIn(this.views, roomId, serverNameOf(this.userId));
  }

  async #findHere(roomId: RoomId): Promise<HierarchyRoom | undefined> {
    const { views, userId } = this;
    const summary = await ROOMS.get(views, [roomId]);
    if (summary === undefined) return undefined;
    const membership = await findMembership(views, roomId, userId);
    if (!(await mayKnowOf(views, summary, userId, membership))) return undefined;
    const counts = await ROOM_COUNTS.get(views, [roomId]);
    const children = summary.type === 'm.space' ? await listSpaceChildren(views, roomId) : [];
    return { roomId, described: describeRoom(roomId, summary, counts?.joined ?? 0), children: this.#wanted(children) };
  }

  #wanted(children: readonly SpaceChild[]): readonly SpaceChild[] {
    return this.suggestedOnly ? children.filter(({ isSuggested }) => isSuggested) : children;
  }
}
