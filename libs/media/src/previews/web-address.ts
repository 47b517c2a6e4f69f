import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type { ServerPlace } from '#http/outgoing/guarded-connector';
import { compileGlob } from '#protocol/glob';

/** Which pages are looked at. */
export interface AddressRules {
  readonly deny: readonly string[];
  readonly privateHosts: readonly string[];
}

const LONGEST = 2_048;
/** Below lie services that are no web, and whose answers somebody could be after. */
const FIRST_FREE_PORT = 1_024;
const WEB_PORTS: ReadonlySet<number> = new Set([80, 443]);
const FOREIGN = /[^\0-\x7f]/;

/** The URL of a page, without what is its reader's business alone; undefined where it is none that is looked at, whoever names it. */
export function readAddress(text: string, { deny }: AddressRules, base?: URL): URL | undefined {
  if (text.length > LONGEST || !URL.canParse(text, base?.href)) return undefined;
  const url = new URL(text, base);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
  if (url.username !== '' || url.password !== '' || url.href.length > LONGEST) return undefined;
  const port = portOf(url);
  if (!WEB_PORTS.has(port) && port < FIRST_FREE_PORT) return undefined;
  const host = hostOf(url).toLowerCase().replace(/\.$/, '');
  if (deny.some((glob) => compileGlob(asHost(glob))(host))) return undefined;
  url.hash = '';
  return url;
}

/** Where a page is: at an address of the Internet, unless the operator says otherwise of the host. */
export function placeOf(url: URL, { privateHosts }: AddressRules): ServerPlace {
  const host = hostOf(url);
  const port = portOf(url);
  const names = [url.hostname, `${url.hostname}:${port}`];
  const mayBePrivate = privateHosts.some((one) => names.includes(one.toLowerCase()));
  return {
    tlsName: host,
    at: [{ host, port }],
    mayBePrivate,
    isPlain: url.protocol === 'http:',
    trustsPublicToo: true,
  };
}

/** As hosts are spelled in URLs, whatever letters an operator uses. */
function asHost(glob: string): string {
  const labels = glob.toLowerCase().split('.');
  // Of a part of a word nobody knows how the whole is spelled there.
  const spelled = labels.map((label) => (FOREIGN.test(label) && !/[*?]/.test(label) ? domainToASCII(label) : label));
  return spelled.join('.');
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

/** A name, or an IP address without brackets. */
function hostOf({ hostname }: URL): string {
  const bare = hostname.replace(/^\[|\]$/g, '');
  return isIP(bare) === 0 ? hostname : bare;
}
