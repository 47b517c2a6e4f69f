import type { RoomId } from '#kernel/ids';
import type { WantedState } from './wanted-state.js';

/** What of a room a client wants to be told: MSC4186, "room config". */
export interface RoomConfig {
  readonly timelineLimit: number;
  readonly state: WantedState;
}

/** Which rooms belong to a list; what is left out says nothing. */
export interface ListFilter {
  readonly isDm?: boolean;
  readonly spaces?: readonly string[];
  readonly isEncrypted?: boolean;
  readonly isInvite?: boolean;
  /** null: those that have no type. */
  readonly roomTypes?: readonly (string | null)[];
  readonly notRoomTypes?: readonly (string | null)[];
  readonly tags?: readonly string[];
  readonly notTags?: readonly string[];
}

/** Places of a list, both ends among them. */
export type ListRange = readonly [first: number, last: number];

/** A list of rooms, of which the client wants those in some ranges. */
export interface SlidingList extends RoomConfig {
  /** undefined: all of it. */
  readonly ranges: readonly ListRange[] | undefined;
  readonly filter: ListFilter;
}

/** For which of the rooms that are told of an extension tells something; undefined: of all lists, or all subscriptions. */
export interface ExtensionScope {
  readonly lists: ReadonlySet<string> | undefined;
  readonly rooms: ReadonlySet<string> | undefined;
}

/** What a client wants to be told besides rooms. */
export interface WantedExtensions {
  readonly toDevice?: { readonly since: string | undefined; readonly limit: number | undefined };
  readonly e2ee: boolean;
  readonly accountData?: ExtensionScope;
  readonly receipts?: ExtensionScope;
  readonly typing?: ExtensionScope;
  readonly threadSubscriptions?: { readonly limit: number };
  readonly stickyEvents?: { readonly since: string | undefined; readonly limit: number };
}

/** A request of sliding sync, parsed, in whichever shape it came. */
export interface SlidingRequest {
  /** Which of the device's connections it is of. */
  readonly connId: string;
  /** Where the client is; undefined: it begins a connection. */
  readonly pos: string | undefined;
  /** How long to wait for news, in milliseconds. */
  readonly timeout: number;
  readonly lists: ReadonlyMap<string, SlidingList>;
  readonly subscriptions: ReadonlyMap<RoomId, RoomConfig>;
  readonly extensions: WantedExtensions;
}
