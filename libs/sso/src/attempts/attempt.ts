import type { ExternalId } from '#accounts/facts/external-id-facts';
import type { UpstreamSession } from '#accounts/facts/login-facts';
import type { UserId } from '#kernel/ids';
import type { Given } from '../admission/given.js';
import type { Outsider } from '../admission/outsider.js';
import type { Secrets } from '../upstream/upstream-clients.js';

/** What somebody shows who they are for. */
export type Purpose =
  /** To log a client in, which waits at a URL (`m.login.sso`). */
  | { readonly kind: 'client'; readonly redirectUrl: string }
  /** The stage of an interactive authentication (`m.login.sso`), which a user has begun. */
  | { readonly kind: 'stage'; readonly session: string; readonly userId: UserId }
  /** A stage in the API of 2015 (`m.login.oauth2`), of a user where one is named. */
  | {
      readonly kind: 'v1';
      readonly session: string;
      /** Who it must be, or how somebody who registers wishes to be called. */
      readonly user?: UserId;
      readonly registers?: true;
      /** The registration token that pays for it. */
      readonly registrationToken?: string;
    }
  /** To sign in to pages of this server, of which one waits at a path. */
  | { readonly kind: 'own'; readonly returnTo: string }
  /** To confirm something that somebody does on such a page, or to have an account elsewhere be theirs. */
  | { readonly kind: 'confirmation' | 'link'; readonly userId: UserId; readonly returnTo: string };

/** A log-in under way in a browser, which alone keeps it: sealed, in a cookie. */
export type Attempt = Begun | Questioned | Shown;

/** They are away, at the provider. */
export interface Begun {
  readonly step: 'begun';
  /** When, in milliseconds since the epoch. */
  readonly begunAt: number;
  readonly provider: string;
  readonly secrets: Secrets;
  readonly purpose: Purpose;
  /** Where they have to show anew who they are: since when, in milliseconds since the epoch. */
  readonly anewSince: number | undefined;
}

/** They have shown who they are, and are asked for what is missing. */
export interface Questioned {
  readonly step: 'asking';
  readonly outsider: Outsider;
  readonly given: Given;
  readonly purpose: Purpose;
  /** When they have, at the earliest (`shownSince`), in milliseconds since the epoch. */
  readonly shownAt: number;
  /** What the page knows that asks for it. */
  readonly key: string;
}

/** It is known who they are here; whoever waits for that has not been told yet. */
export interface Shown {
  readonly step: 'shown';
  readonly userId: UserId;
  /** The account elsewhere that is to be theirs. */
  readonly links?: ExternalId;
  readonly upstream: UpstreamSession;
  readonly purpose: Purpose;
  readonly key: string;
}
