import { listOf } from './list-of.js';
import type { Settings } from './settings.js';

/** Which identity servers users of this server may have it speak to. */
export interface IdentityServersConfig {
  /** Names, in which `*` and `?` may stand for others. */
  readonly allowed: readonly string[];
  /** Those that may be on this machine or its networks: names or addresses, with a port or for any. */
  readonly privateServers: readonly string[];
}

/** All of it checked by the validator. */
export function identityServersOf(settings: Settings): IdentityServersConfig {
  const { identity_servers: named, identity_private_servers: privateServers } = settings;
  return Object.freeze({
    allowed: Object.freeze(named === 'off' ? [] : listOf(named).map((name) => name.toLowerCase())),
    privateServers: Object.freeze(listOf(privateServers).map((name) => name.toLowerCase())),
  });
}
