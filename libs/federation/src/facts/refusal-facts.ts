import type { NewFact } from '#event-store/event-store';
import type { FactShapes } from '#event-store/fact-shapes';
import type { ServerName } from '#kernel/ids';

/**
 * What another server asked for or sent and this one refused, for operators to look at: the last facts alone, and of each the first that
 * were refused. What nobody proved to have sent is in one stream for all: else anybody could make streams under made-up names.
 */
export const REFUSALS_STREAM = 'refusals';
export const REFUSALS_STREAM_PREFIX = `${REFUSALS_STREAM}-`;
export const refusalsStream = (server: ServerName): string => `${REFUSALS_STREAM_PREFIX}${server}`;

/** The server whose refusals a stream has; undefined for that of all. */
export function serverOfRefusals(stream: string): ServerName | undefined {
  return stream === REFUSALS_STREAM ? undefined : (stream.slice(REFUSALS_STREAM_PREFIX.length) as ServerName);
}

/**
 * What was refused. `event`: nothing is kept of it; `rejected`, `soft-failed`: it is in its room, where the reason stands too, since a
 * redaction may take that away; `given-up`: it waited for what it misses; `edu`; `invitation`: of a user here; `request`: who asked could
 * not be told by its signature.
 */
export type RefusalKind = 'event' | 'rejected' | 'soft-failed' | 'given-up' | 'edu' | 'invitation' | 'request';

export interface Refusal {
  readonly kind: RefusalKind;
  /** When, in milliseconds since the epoch. */
  readonly at: number;
  readonly room_id?: string;
  readonly event_id?: string;
  /** The transaction that it was sent in. */
  readonly txn_id?: string;
  /** Why, in words. */
  readonly reason?: string;
  /** Of a request: which server it said that it was from. */
  readonly server?: string;
}

/** `refused`: what was refused since the fact before. */
export interface Refused {
  /** The first of them. */
  readonly refusals: readonly Refusal[];
  /** How many there were besides. */
  readonly further?: number;
}

/** What a fact tells. */
export function readRefused({ data }: Pick<NewFact, 'data'>): Refused {
  return JSON.parse(data) as Refused; // what this library appended under this type has this shape
}

/** How old shapes of these facts become today's. */
export const REFUSAL_SHAPES = {
  refused: [],
} as const satisfies FactShapes;
