import type { AccountRules } from './account-rules.js';
import type { Template } from './template.js';

/** An OpenID Connect provider at which people have accounts. Frozen. */
export interface UpstreamProvider {
  /** In URLs and in the log: never to be changed, nor to be another's. */
  readonly id: string;
  readonly name: string;
  /** An mxc:// URI. */
  readonly icon?: string;
  readonly brand?: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly clientAuth: 'basic' | 'post' | 'none';
  readonly scopes: readonly string[];
  /** Absent: they are discovered. */
  readonly endpoints?: UpstreamEndpoints;
  /** Whether its userinfo endpoint is asked, where it has one. */
  readonly asksUserInfo: boolean;
  /** Whether it says when somebody logged in whom it was asked to have log in anew, as OpenID Connect Core has it. */
  readonly tellsAuthTime: boolean;
  readonly claims: ClaimsMapping;
  /** Who comes first takes the name that the provider gives, is asked for one where that is not free, or always is. */
  readonly userName: 'given' | 'ask_if_taken' | 'ask';
  readonly rules: AccountRules;
}

export interface UpstreamEndpoints {
  readonly authorization: string;
  readonly token: string;
  readonly userinfo?: string;
  readonly jwks: string;
}

/** What of the claims is what here. */
export interface ClaimsMapping {
  readonly subject: Template;
  readonly userName?: Template;
  readonly displayName?: Template;
  readonly email?: Template;
  readonly phone?: Template;
  /** The way to the claim that lists the groups. */
  readonly groups?: readonly string[];
}
