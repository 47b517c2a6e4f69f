/** How an application asks for the answer to be brought to it: client-server API, "Redirect URI validation". */

/** An `http` URI on the loopback interface, with the port that a registration has not, and a request may have. */
const LOOPBACK = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?([/?].*)?$/;
/** RFC 3986, section 3.1; nothing with the authority of a host follows. */
const PRIVATE_USE = /^([a-z][a-z0-9+.-]*):(?!\/\/)[!-~]*$/;

/**
 * Why no application of this type whose home is at this host may be answered there; undefined where it may. `host`: of its `client_uri`,
 * which has to be a domain.
 */
export function whyNotRedirectTo(uri: string, type: 'web' | 'native', host: string): string | undefined {
  if (uri.includes('#')) return 'has a fragment';
  if (!/^[!-~]{1,1024}$/.test(uri) || !URL.canParse(uri)) return 'is not a URI';
  if (uri.startsWith('https:')) return whyNotHttps(uri, host);
  if (type === 'web') return 'must use https';
  const loopback = LOOPBACK.exec(uri);
  if (loopback !== null) return loopback[2] === undefined ? undefined : 'must have no port';
  const [, scheme] = PRIVATE_USE.exec(uri) ?? [];
  if (scheme === undefined) return 'must use https, http on the loopback interface, or a scheme of the application';
  const home = host.split('.').toReversed().join('.');
  return scheme === home || scheme.startsWith(`${home}.`) ? undefined : `must use a scheme that begins with ${home}`;
}

/** Why this is no https URI of a host or those below it; undefined where it is. */
export function whyNotHttps(uri: string, host: string): string | undefined {
  if (!URL.canParse(uri)) return 'is not a URI';
  const { protocol, username, password, hostname } = new URL(uri);
  if (protocol !== 'https:') return 'must use https';
  if (username !== '' || password !== '') return 'must have no user or password';
  return hostname === host || hostname.endsWith(`.${host}`) ? undefined : `must be at ${host} or below it`;
}

/** Whether an answer may go to `asked`: letter by letter one that was registered, but for the port on the loopback interface (RFC 8252, 7.3). */
export function isRegistered(registered: readonly string[], asked: string): boolean {
  if (registered.includes(asked)) return true;
  const [, host, port, rest = ''] = LOOPBACK.exec(asked) ?? [];
  return host !== undefined && port !== undefined && registered.includes(`http://${host}${rest}`);
}

/** A URI with these parameters, in its query or as its fragment. */
export function withParameters(
  uri: string,
  mode: 'query' | 'fragment',
  parameters: Readonly<Record<string, string>>,
): string {
  const text = new URLSearchParams(parameters).toString();
  if (mode === 'fragment') return `${uri}#${text}`;
  return `${uri}${uri.includes('?') ? (/[?&]$/.test(uri) ? '' : '&') : '?'}${text}`;
}
