import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';

/** Where keys of other servers are asked for. */
export interface KeySources {
  /** The answer of a server to `GET /_matrix/key/v2/server`. Throws PeerUnavailable or PeerRefused. */
  ask(server: ServerName): Promise<JsonObject>;
}

/** Injection token of the KeySources. */
export const KEY_SOURCES = Symbol.for('annals.KeySources');

/** Where no other server is spoken to. */
export const NO_SOURCES: KeySources = Object.freeze({
  ask: () => Promise.reject(new PeerUnavailable('This server asks no other servers')),
});
