/** Where the pages between this server and a provider are: below `/_matrix`, which reverse proxies hand on. */
export const SSO_PATH = '_matrix/client/unstable/annals.sso';
