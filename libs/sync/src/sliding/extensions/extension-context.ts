import type { Type } from '@nestjs/common';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { ActiveUser } from '../../notifier/active-user.js';
import type { SyncContext } from '../../streams/sync-context.js';
import type { ListedRoom } from '../known-rooms.js';
import type { RoomUpdate } from '../room-update.js';
import type { SelectedRoom } from '../select-rooms.js';
import type { ExtensionScope, WantedExtensions } from '../sliding-request.js';
import type { Told, ToldExtension, ToldRoom } from '../told-state.js';

/** A room that an answer is about, and how its client stands to it. */
export interface ToldOf {
  readonly selected: SelectedRoom;
  readonly told: ToldRoom | undefined;
  /** The client has what came up to here; undefined: it has nothing. */
  readonly after: StreamMoment | undefined;
}

/** Rooms that lists may have, and whether a list or a subscription has one, whatever the ranges say. */
export interface ListedRooms {
  readonly rooms: readonly ListedRoom[];
  isWanted(room: ListedRoom): boolean;
}

/** What extensions are computed from. */
export interface ExtensionContext {
  readonly sync: SyncContext;
  readonly user: ActiveUser;
  readonly wanted: WantedExtensions;
  readonly rooms: readonly ToldOf[];
  /** All rooms that lists may have. */
  readonly listed: ListedRooms;
  /** What this answer tells of rooms. */
  readonly updates: readonly RoomUpdate[];
  /** How the client stands to what is told besides rooms. */
  readonly told: ReadonlyMap<ToldExtension, Told>;
}

/** What an extension tells. */
export interface ExtensionPart {
  /** The JSON text of its value; undefined where it is left out. */
  readonly json: string | undefined;
  /** Whether it holds something the client does not know: only that ends a long poll. */
  readonly isNews: boolean;
}

/** What is told besides rooms, under one key of the answer's `extensions`. */
export interface SlidingExtension {
  readonly key: string;
  read(context: ExtensionContext): Promise<ExtensionPart>;
}

export type SlidingExtensionType = Type<SlidingExtension>;

/** Injection token of all of them. */
export const SLIDING_EXTENSIONS = Symbol.for('annals.SlidingExtensions');

export const NOTHING_TO_TELL: ExtensionPart = Object.freeze({ json: undefined, isNews: false });

/**
 * Whether an extension tells of a room: "if not defined" of all lists and all subscriptions, else of those that are named (`*`: of all);
 * MSC3959.
 */
export function isInScope(scope: ExtensionScope | undefined, { room, lists, isSubscribed }: SelectedRoom): boolean {
  if (scope === undefined) return false;
  for (const name of lists) if (isNamed(scope.lists, name)) return true;
  return isSubscribed && isNamed(scope.rooms, room.roomId);
}

function isNamed(names: ReadonlySet<string> | undefined, name: string): boolean {
  return names === undefined || names.has(name) || names.has('*');
}

/** Up to where the client was told of something; undefined: never. */
export function toldUpTo({ sync, told }: ExtensionContext, name: ToldExtension): StreamMoment | undefined {
  const stand = told.get(name);
  if (stand === undefined || sync.since === undefined) return undefined;
  return stand.upTo === undefined ? sync.since : { ...sync.since, position: stand.upTo };
}
