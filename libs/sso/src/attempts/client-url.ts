import { MatrixError } from '#kernel/matrix-error';

/** Where a browser does something else than going there, or what only machines open. */
const NEVER: ReadonlySet<string> = new Set(
  ['javascript', 'data', 'vbscript', 'file', 'blob', 'about', 'filesystem', 'view-source', 'ws', 'wss'].map(
    (name) => `${name}:`,
  ),
);
/** It stands in a cookie. */
const MOST_BYTES = 1024;

/**
 * The URL at which a client waits for its login token: of the web, or of an application on the user's machine. Throws M_INVALID_PARAM for what
 * is none, has a user name in it (by which it would look like another), or is longer than 1 KB.
 */
export function parseClientUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isUsable = url !== undefined && !NEVER.has(url.protocol) && url.username === '' && url.password === '';
  if (!isUsable || Buffer.byteLength(url.href) > MOST_BYTES) {
    throw new MatrixError('M_INVALID_PARAM', 'redirectUrl: not a URL that a client can have');
  }
  return url;
}

/** The same with a login token, in the place of those that it has. */
export function withLoginToken(url: URL, token: string): string {
  const whole = new URL(url);
  // As it is written, but for this one parameter: clients may compare the rest.
  const kept = whole.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '' && !/^loginToken(=|$)/.test(pair));
  whole.search = [...kept, `loginToken=${encodeURIComponent(token)}`].join('&');
  return whole.href;
}

/** Whether a URL is one of the client that a prefix names: of the same origin, and its path below that of the prefix. */
export function isOfClient(url: URL, prefix: string): boolean {
  const { protocol, host, pathname } = new URL(prefix);
  if (url.protocol !== protocol || url.host !== host) return false;
  const path = pathname === '' ? '/' : pathname;
  return url.pathname === pathname || (url.pathname || '/').startsWith(path.endsWith('/') ? path : `${path}/`);
}

/** What people are to look at: the host of a web page, or which kind of application it is. */
export function shownOf({ protocol, host }: URL): string {
  return protocol === 'https:' || protocol === 'http:' ? host : `${protocol}${host === '' ? '' : `//${host}`}`;
}
