import type { RoomId, UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { levelsToNotify, powerLevelOf } from '#protocol/event-auth/power-levels';
import type { PushContext } from '#protocol/push-rules/push-conditions';
import type { RoomEvent } from '#protocol/room-event';
import type { UserRules } from '#push/compiled-rules';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { MEMBERS, ROOM_COUNTS } from '#rooms/projections/membership.projector';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { findStateRow } from '#rooms/queries/state-rows';
import type { Reader } from '#rooms/reading/reader';
import { eventOfStoredRow } from '#rooms/projections/stored-event';

/** What push rules need to know of a room besides the event. */
export type ContextOfSender = (sender: UserId) => PushContext;

/** PERF: the members of a room look at the same rows (see `SharedRows`), so one parse serves them all. */
const parsed = new WeakMap<TimelineRow, RoomEvent>();

/** An event as push rules look at it: as clients see it. */
export function eventOfRow(roomId: RoomId, row: TimelineRow): RoomEvent {
  let event = parsed.get(row);
  if (event === undefined) parsed.set(row, (event = eventOfStoredRow(roomId, row)));
  return event;
}

/** What push rules need of a room, whoever reads it. */
export interface RoomPart {
  readonly memberCount: number;
  readonly notificationLevels: PushContext['notificationLevels'];
  /** What says its levels, as one text. */
  readonly levelsBy: string;
  powerLevelOf(sender: UserId): number;
}

/** What the rules need of an event of a room for one reader. `displayName`: theirs there, where a rule asks for it. */
export function contextIn(part: RoomPart, sender: UserId, displayName: string | undefined): PushContext {
  const { memberCount, notificationLevels } = part;
  return { displayName, memberCount, notificationLevels, senderPowerLevel: part.powerLevelOf(sender) };
}

/** What rules of a user look at beside an event. */
export type AskingRules = Pick<UserRules, 'asksForNames' | 'asksForLevels' | 'sizeOf'>;

const SHARED = 64;

/** Reads what push rules need of rooms. PERF: what is the same for all its readers is read once for each moment of a room. */
export class PushContexts {
  readonly #rooms = new LruCache<string, Promise<RoomPart>>(SHARED);

  constructor(private readonly views: Views) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#rooms.numbers;
  }

  /** What the rules need of a room as it is now, for one reader. `moment` is the position the reader reads up to. */
  async read(roomId: RoomId, reader: UserId, moment: Position, asksForNames: boolean): Promise<ContextOfSender> {
    const member = asksForNames ? MEMBERS.get(this.views, [roomId, reader]) : undefined;
    const [part, { displayname } = {}] = await Promise.all([this.room(roomId, moment), member]);
    return (sender) => contextIn(part, sender, displayname);
  }

  /** As much of that as some rules look at, as one text: where it is another, they may say something else of the same events. */
  async textOf(roomId: RoomId, reader: UserId, moment: Position, rules: AskingRules): Promise<string> {
    const { asksForNames, asksForLevels } = rules;
    const member = asksForNames ? MEMBERS.get(this.views, [roomId, reader]) : undefined;
    const [part, { displayname } = {}] = await Promise.all([this.room(roomId, moment), member]);
    return JSON.stringify([rules.sizeOf(part.memberCount), asksForLevels ? part.levelsBy : null, displayname]);
  }

  /** What is the same for all readers of a room. */
  room(roomId: RoomId, moment: Position): Promise<RoomPart> {
    const key = `${roomId} ${moment}`;
    let room = this.#rooms.get(key);
    if (room === undefined) {
      room = readRoomPart(this.views, roomId);
      this.#rooms.set(key, room);
      room.catch(() => this.#rooms.delete(key));
    }
    return room;
  }
}

async function readRoomPart(views: Views, roomId: RoomId): Promise<RoomPart> {
  const [counts, room, create, levels] = await Promise.all([
    ROOM_COUNTS.get(views, [roomId]),
    ROOMS.get(views, [roomId]),
    findStateRow(views, roomId, 'm.room.create', ''),
    findStateRow(views, roomId, 'm.room.power_levels', ''),
  ]);
  const state = [create, levels].flatMap((row) => (row === undefined ? [] : [eventOfRow(roomId, row)]));
  const auth = authStateOf(state);
  const version = room && findRoomVersion(room.version);
  return {
    memberCount: counts?.joined ?? 0,
    notificationLevels: version === undefined ? {} : levelsToNotify(auth, version),
    levelsBy: levels === undefined ? '' : `${levels.header.eventId} ${levels.header.redactedBy ?? ''}`,
    powerLevelOf: (sender) => (version === undefined ? 0 : powerLevelOf(sender, auth, version)),
  };
}

/** Whether an event may notify a reader, whatever their rules say: it is none of their own, nor of whom they ignore, and was not redacted. */
export function mayNotify({ header }: TimelineRow, { userId, ignored }: Reader): boolean {
  return header.sender !== userId && header.redactedBy === undefined && !ignored.has(header.sender);
}

/** What rules need of an event in a thread, or of one in none (`root` undefined), besides: whether the reader follows it. */
export function withThread(context: PushContext, root: string | undefined, followed: ReadonlySet<string>): PushContext {
  return root === undefined ? context : { ...context, isSubscribed: followed.has(root) };
}
