import { type DeviceKey, streamOfDevice } from '#devices/facts/device-streams';
import type { FactShapes } from '#event-store/fact-shapes';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';

/** What the connections of a device's sliding sync were told. */
export const SLIDING_STREAM_PREFIX = 'sliding-';

export const slidingStream = (device: DeviceKey): string => streamOfDevice(SLIDING_STREAM_PREFIX, device);

/**
 * What a connection was told of a room: the number of the state that it wants among `wanted`, how many events at the end of the timeline
 * it has, marks (bits of `TOLD`), and up to where, if not up to where its client is.
 */
export type ToldRoomData = readonly [wanted: number, limit: number, marks: number, upTo?: Position];

/** What a connection was told, or what of that has changed. */
export interface ToldData {
  /** Texts of `WantedState`. */
  readonly wanted: readonly string[];
  readonly rooms: Readonly<Record<RoomId, ToldRoomData>>;
  /** Of what is told besides rooms: up to where, or true: up to where the client is. */
  readonly extensions: Readonly<Record<string, Position | true>>;
}

/**
 * In `sliding-{user_id}|{device_id}`: `sliding-told`: an answer on a connection, where it changed how its client stands to rooms: not
 * that it has more of the same. The fact's revision is named by the `pos` of the answer. `after`: the revision that the client came with;
 * null where it began. Counts only as long as the log is of this `history` (`LogHistory.name`): in another one positions say something else.
 */
export interface SlidingTold extends ToldData {
  readonly conn: string;
  readonly after: number | null;
  readonly history: string;
  /** The connections that gave way to this one. */
  readonly closed?: readonly string[];
}

/** What a connection was told by the answer at a revision: all of it, or what changed after another one that is told before it. */
export interface ToldAt extends ToldData {
  readonly at: number;
  readonly after: number | null;
}

/** In the same stream: `sliding-summed-up`: all that still counts of a connection; what was before goes from the log. */
export interface SlidingSummedUp {
  readonly conn: string;
  readonly history: string;
  readonly states: readonly ToldAt[];
  /** When it was told something last, in milliseconds since the epoch. Sums of before that was noted lack it. */
  readonly told_at?: number;
  /** The connections that are summed up no more: they are too old, or of too many rooms. */
  readonly closed?: readonly string[];
}

/** In the same stream: `sliding-closed`: the device is gone, and its connections with it. */
export type SlidingClosed = Readonly<Record<string, never>>;

/** How old shapes of these facts become today's. */
export const SLIDING_SHAPES = {
  'sliding-told': [],
  'sliding-summed-up': [],
  'sliding-closed': [],
} as const satisfies FactShapes;
