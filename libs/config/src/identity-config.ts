import { isServerName, type ServerName } from '#kernel/ids';
import { listOf } from './list-of.js';
import type { Settings } from './settings.js';

/** Which identity servers users of this server may have it speak to. */
export interface IdentityServersConfig {
  /** Names, in which `*` and `?` may stand for others. */
  readonly allowed: readonly string[];
  /** Those that are believed where they say that an identifier was shown to be somebody's. */
  readonly trusted: readonly ServerName[];
  /** Those that may be on this machine or its networks: names or addresses, with a port or for any. */
  readonly privateServers: readonly string[];
}

/** All of it checked by the validator. */
export function identityServersOf(settings: Settings): IdentityServersConfig {
  const {
    identity_servers: named,
    identity_trusted_servers: trusted,
    identity_private_servers: privateServers,
  } = settings;
  return Object.freeze({
    allowed: Object.freeze(named === 'off' ? [] : listOf(named).map((name) => name.toLowerCase())),
    trusted: Object.freeze(listOf(trusted).map((name) => name.toLowerCase() as ServerName)),
    privateServers: Object.freeze(listOf(privateServers).map((name) => name.toLowerCase())),
  });
}

/** Whether this server is a homeserver, whatever else it is. */
export const isHomeserver = ({ roles }: Pick<Settings, 'roles'>): boolean => roles.split(',').includes('all');

/** Whether it is an identity server, whatever else it is. */
export const isIdentityServer = ({ roles }: Pick<Settings, 'roles'>): boolean => roles.split(',').includes('identity');

/** Another identity server that this one trusts, and that trusts it. */
export interface IdentityPeer {
  /** Its server name, by which it signs. */
  readonly name: ServerName;
  /** The key that it signs with, in unpadded base64. */
  readonly publicKey: string;
  /** Where it is reached, without a slash at the end. */
  readonly url: string;
}

/** What this server does as an identity server. */
export interface IdentityRoleConfig {
  /** What everybody has to accept who uses it; undefined: nothing. */
  readonly terms?: { readonly url: string; readonly version: string };
  /** Whether it speaks API v1, in which nobody says who they are. */
  readonly v1: boolean;
  /** Whether that says whose an identifier is, in plain text. */
  readonly plainLookup: boolean;
  /** Those whose associations it has as well, and that have its own; left out: none. */
  readonly peers?: readonly IdentityPeer[];
}

const PEER = /^(\S+) +([A-Za-z0-9+/]{43}) *(https:\/\/[^\s/?#]+)?\/?$/;

/** Reads `id.example.org KEY` or `id.example.org KEY https://matrix.example.org:8443`; undefined where it is neither. */
function parsePeer(text: string): IdentityPeer | undefined {
  const [, name = '', publicKey = '', url] = PEER.exec(text.trim()) ?? [];
  if (!isServerName(name) || (url !== undefined && !URL.canParse(url))) return undefined;
  return Object.freeze({ name, publicKey, url: url ?? `https://${name}` });
}

export const areIdentityPeers = (text: string): boolean => listOf(text).every((item) => parsePeer(item) !== undefined);

/** All of it checked by the validator. */
export function identityRoleOf(settings: Settings): IdentityRoleConfig | undefined {
  if (!isIdentityServer(settings)) return undefined;
  const { identity_terms_url: url, identity_terms_version: version } = settings;
  const peers = listOf(settings.identity_peers).flatMap((item) => parsePeer(item) ?? []);
  const v1 = settings.identity_v1 === 'on';
  return Object.freeze({
    ...(url === undefined ? {} : { terms: Object.freeze({ url, version }) }),
    ...(peers.length === 0 ? {} : { peers: Object.freeze(peers) }),
    v1,
    plainLookup: v1 && settings.identity_plain_lookup === 'on',
  });
}
