import { CLIENT_LOGIN_PATH } from '#sso/sso-path';

/** What the paths of all pages and endpoints here begin with: a prefix of our own, for reverse proxies to let through. */
const PREFIX = '/_annals';

/** The pages that people see. */
export const PAGES = Object.freeze({
  authorise: `${PREFIX}/oauth2/authorize`,
  link: `${PREFIX}/oauth2/link`,
  account: `${PREFIX}/account`,
  /** Where somebody's data is, and where they are handed it. */
  data: `${PREFIX}/account/data`,
  /** A client of the log-ins before OAuth is logged in. */
  clientLogin: CLIENT_LOGIN_PATH,
  signIn: `${PREFIX}/sign-in`,
  /** By an account elsewhere: behind it the provider. */
  signInWith: `${PREFIX}/sign-in/with`,
  signInBack: `${PREFIX}/sign-in/back`,
  signUp: `${PREFIX}/sign-up`,
  signOut: `${PREFIX}/sign-out`,
  /** Where somebody shows once more who they are, before what could do harm: behind it the provider. */
  confirmWith: `${PREFIX}/account/confirm`,
  confirmBack: `${PREFIX}/account/confirmed`,
  linkBack: `${PREFIX}/account/linked`,
});

/** Where the forms of the account page go. */
export const ACCOUNT_FORMS = Object.freeze({
  profile: `${PAGES.account}/profile`,
  password: `${PAGES.account}/password`,
  devices: `${PAGES.account}/devices`,
  keyReset: `${PAGES.account}/key-reset`,
  close: `${PAGES.account}/close`,
  elsewhere: `${PAGES.account}/elsewhere`,
});

/** What applications ask. */
export const ENDPOINTS = Object.freeze({
  token: `${PREFIX}/oauth2/token`,
  revoke: `${PREFIX}/oauth2/revoke`,
  register: `${PREFIX}/oauth2/register`,
  device: `${PREFIX}/oauth2/device`,
});

/** The pages to which somebody may come back once they are signed in. */
const RETURNS: ReadonlySet<string> = new Set([
  PAGES.authorise,
  PAGES.link,
  PAGES.account,
  PAGES.clientLogin,
  PAGES.data,
]);

/**
 * The page of ours, with its query, that a text from a browser names; the account page where it names none: nobody is sent anywhere else
 * for having signed in.
 */
export function ownPage(text: string | undefined): string {
  const origin = 'http://here.invalid';
  if (text === undefined || !URL.canParse(text, origin)) return PAGES.account;
  const url = new URL(text, origin);
  return url.origin === origin && RETURNS.has(url.pathname) ? url.pathname + url.search : PAGES.account;
}
