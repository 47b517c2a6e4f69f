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

/** What this server does as an identity server. */
export interface IdentityRoleConfig {
  /** What everybody has to accept who uses it; undefined: nothing. */
  readonly terms?: { readonly url: string; readonly version: string };
}

/** All of it checked by the validator. */
export function identityRoleOf(settings: Settings): IdentityRoleConfig | undefined {
  if (!settings.roles.split(',').includes('identity')) return undefined;
  const { identity_terms_url: url, identity_terms_version: version } = settings;
  return Object.freeze(url === undefined ? {} : { terms: Object.freeze({ url, version }) });
}
