import type { NewFact } from '#event-store/event-store';
import type { Upcast } from '#event-store/fact-shapes';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/** The facts of the signing keys of another server, in `server-keys-{server}`: what was told of them. */
export const SERVER_KEYS_PREFIX = 'server-keys-';
export const serverKeysStream = (server: ServerName): string => `${SERVER_KEYS_PREFIX}${server}`;
export const serverOfKeys = (stream: string): ServerName => stream.slice(SERVER_KEYS_PREFIX.length) as ServerName;

/** `server-keys-told`: the keys that a server publishes, told by itself or by a notary, and better than what was known. */
export interface ServerKeysTold {
  /** When it was asked for, in milliseconds since the epoch: keys are believed for seven days from then at most. */
  readonly fetched_ts: number;
  /** Who told it, where that was not the server itself. */
  readonly notary?: ServerName;
  /** As it came, with the signatures of the server, which held; of a notary, with that one's too. */
  readonly document: JsonObject;
}

/** type -> shape of the data. */
export interface ServerKeyFacts {
  'server-keys-told': ServerKeysTold;
}

/** How old shapes of these facts become today's. */
export const SERVER_KEY_SHAPES: Readonly<Record<keyof ServerKeyFacts, readonly Upcast[]>> = {
  'server-keys-told': [],
};

/** What such a fact says: only this library writes these streams. */
export function readTold({ data }: Pick<NewFact, 'data'>): ServerKeysTold {
  return JSON.parse(data) as ServerKeysTold;
}
