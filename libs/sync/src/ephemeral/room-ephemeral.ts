import type { Type } from '@nestjs/common';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import type { Reader } from '#rooms/reading/reader';

/** Whose eyes ephemeral events are for, and between which moments. */
export interface EphemeralRange {
  readonly reader: Reader;
  /** Undefined: all that there is. */
  readonly since: StreamMoment | undefined;
  readonly until: StreamMoment;
}

/** One type of the events that tell of a room without being part of it: `ephemeral` in /sync, and in the event stream of 2015. */
export interface RoomEphemeral {
  /** The type of the events. */
  readonly type: string;
  /** Whether a room has anything new, by what is known in memory; undefined where that has to be looked up. */
  hasNews(roomId: RoomId, since: StreamMoment, until: StreamMoment): boolean | undefined;
  /** Looks up what `hasNews` does not know, so that it knows the next time. */
  lookUp(roomId: RoomId, since: StreamMoment): Promise<boolean>;
  /** The contents of the events, JSON texts; none where there is nothing new. */
  read(roomId: RoomId, range: EphemeralRange): readonly string[] | Promise<readonly string[]>;
}

/** A class of it, with the collections it reads (see `COVERED`). */
export interface RoomEphemeralType extends Type<RoomEphemeral> {
  readonly covers: readonly string[];
}

/** Injection token of all of them. */
export const ROOM_EPHEMERALS = Symbol.for('annals.RoomEphemerals');
