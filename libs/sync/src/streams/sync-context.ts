import type { Type } from '@nestjs/common';
import type { AccountData } from '#accounts/queries/account-data';
import type { OwnKeyCounts } from '#devices/queries/key-counts';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import type { Turn } from '#projections/turn';
import type { Reader } from '#rooms/reading/reader';
import type { SyncFilter } from '../filters/sync-filter.js';
import type { KnownRoom } from '../notifier/active-user.js';
import type { AnsweredMembers } from '../parts/lazy-members.js';
import type { SignedEvents } from '../parts/signed-events.js';

/** What the state after the timeline is called: by the specification, and before it was in it (MSC4222). */
export type StateAfter = 'state_after' | 'org.matrix.msc4222.state_after';

/** What one answer to /sync is computed from. Fixed at its start, whatever happens meanwhile. */
export interface SyncContext {
  readonly requester: Requester;
  readonly filter: SyncFilter;
  /** Where the client is; undefined for an initial sync. */
  readonly since: StreamMoment | undefined;
  /** An initial sync of a client that believes what it heard of a part of the log that is lost. */
  readonly isAnew: boolean;
  /** Of messages to its device the client has all up to here, also where it is told everything else anew. */
  readonly heard: Position | undefined;
  /** Where the answer ends: nothing in it is from after that. */
  readonly until: StreamMoment;
  /** All of the state is wanted, whatever the client has. */
  readonly fullState: boolean;
  /** The state is wanted as it is after the timeline, not before it: under this name. */
  readonly stateAfter: StateAfter | undefined;
  /** What is told of rooms is there where it is empty too, as in the version before today's. */
  readonly allSections: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The user's rooms as of now: what changed in them after `until` is not for this answer. */
  readonly rooms: ReadonlyMap<RoomId, KnownRoom>;
  /** The member events that the client has, and that this answer sends, where it loads members lazily. */
  readonly members: AnsweredMembers;
  /** Where events are wanted as they were signed. */
  readonly signed: SignedEvents | undefined;
  /** Whether there may be messages to the device that the client does not have. */
  readonly mayHaveMessages: boolean;
  /** Whether the user's own streams may have facts that are new to the client. */
  readonly hasOwnFacts: boolean;
  /** The account data that is new to the client, or for an initial sync all of it. Read when first asked for. */
  accountData(): Promise<AccountDataByRoom>;
  /** What the device is told of its keys. Read when first asked for. */
  keyCounts(): Promise<OwnKeyCounts>;
  /** The requester as a reader of rooms. Read when first asked for. */
  reader(): Promise<Reader>;
  /** Of the event loop: the answer lets other requests through when it is over. */
  readonly turn: Turn;
}

/** Account data that belongs to no room, and to each room. */
export interface AccountDataByRoom {
  readonly global: readonly AccountData[];
  readonly rooms: ReadonlyMap<RoomId, readonly AccountData[]>;
}

/** One part of the answer. */
export interface SyncPart {
  /** The JSON text of its value; undefined where the part is left out. */
  readonly json: string | undefined;
  /** Whether it holds something the client does not know: only that ends a long poll. */
  readonly isNews: boolean;
  /** Of messages to the device: told were those up to here, and there are more. */
  readonly inbox?: Position;
}

/**
 * A stream of data that /sync tells of, under one key of the answer. A stream whose data is in the log has nothing more to do
 * to be heard of: facts of a user's or a device's stream wake the user's requests. Others call `ActiveUsers.wakeUser`.
 */
export interface SyncStream {
  /** The key at the top of the answer. */
  readonly key: string;
  read(context: SyncContext): Promise<SyncPart>;
}

/** A class of it, with the collections it reads: one of each projector, for those of one projector move together. */
export interface SyncStreamType extends Type<SyncStream> {
  readonly covers: readonly string[];
}

/** Injection token of all of them. */
export const SYNC_STREAMS = Symbol.for('annals.SyncStreams');
