import { resolve } from 'node:path';
import { listOf } from './list-of.js';
import type { Settings } from './settings.js';

/** Accounts that people have elsewhere, and the tokens by which somebody logs in who has shown who they are. */
export interface SsoConfig {
  /** The absolute path of the file of the OpenID Connect providers: see `readUpstreamProviders`. */
  readonly providersFile?: string;
  /** The absolute path of the file of the LDAP directory: see `readLdapDirectory`. */
  readonly ldapFile?: string;
  /** The URLs of clients, as prefixes, that are given a login token without a page that asks for it. */
  readonly trustedClients: readonly string[];
  /** Whether who is logged in may have a token that logs another client in (POST /login/get_token). */
  readonly givesLoginTokens: boolean;
}

/** All of it checked by the validator. */
export function ssoOf({ sso_providers: file, sso_clients: clients, login_tokens: tokens, ldap }: Settings): SsoConfig {
  return Object.freeze({
    ...(file === undefined ? {} : { providersFile: resolve(file) }),
    ...(ldap === undefined ? {} : { ldapFile: resolve(ldap) }),
    trustedClients: Object.freeze(listOf(clients)),
    givesLoginTokens: tokens === 'on',
  });
}
