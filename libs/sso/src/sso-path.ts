/** Where the pages between this server and a provider are: below `/_matrix`, which reverse proxies hand on. */
export const SSO_PATH = '_matrix/client/unstable/dev.annals.sso';

/** Where a client is logged in by who signs in at the pages of this server, where there are such (`libs/oauth`). */
export const CLIENT_LOGIN_PATH = '/_annals/login';
