import type { NewFact } from '#event-store/event-store';
import type { FactShapes } from '#event-store/fact-shapes';
import type { UserId } from '#kernel/ids';

/** What somebody chooses for all of their devices, until they choose anything else (2014/15, "Presence"). */
export type PresenceChoice = 'free_for_chat' | 'busy' | 'do_not_disturb' | 'hidden';

/** Of one user what is kept of their presence: the last fact says all of it, and those before go from the log, with a message at once. */
export const PRESENCE_STREAM_PREFIX = 'presence-';
export const presenceStream = (userId: UserId): string => `${PRESENCE_STREAM_PREFIX}${userId}`;

/** Whose presence a stream keeps. */
export const userIdOfPresence = (stream: string): UserId => stream.slice(PRESENCE_STREAM_PREFIX.length) as UserId;

/**
 * `presence-kept`: what outlives a restart of somebody's presence. Who is there at the moment is not worth the log: it is written as
 * somebody comes, long after they went, when they set something, and once an hour while they go on doing something.
 */
export interface PresenceKept {
  /** When they last did something that others may know of, in milliseconds since the epoch. */
  readonly last_active?: number;
  /** Others may have been told that they are there. */
  readonly present?: true;
  readonly choice?: PresenceChoice;
  /** What they said instead of a state that is known here: `for` stands for it. */
  readonly word?: { readonly name: string; readonly for: string };
  readonly status_msg?: string;
  /** Of what kind devices are, as far as they said so. */
  readonly device_types?: Readonly<Record<string, string>>;
}

/** What a fact keeps. */
export function keptIn({ data }: Pick<NewFact, 'data'>): PresenceKept {
  return JSON.parse(data) as PresenceKept; // what this library appended under this type has this shape
}

/** How old shapes of these facts become today's. */
export const PRESENCE_SHAPES = {
  // To the second: more choices, and other keys beside them.
  'presence-kept': [(before) => before],
} as const satisfies FactShapes;
