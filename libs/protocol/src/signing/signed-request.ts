import { isServerName, type ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { canonicalString } from '../canonical-json/canonical-json.js';

/** A request between servers, as its signature sees it. */
export interface ServerRequest {
  /** In capitals. */
  readonly method: string;
  /** From `/_matrix/` on, with the query, as it is sent. */
  readonly uri: string;
  readonly origin: ServerName;
  /** Absent where the sender did not say whom it means, as servers of before 2022. */
  readonly destination?: ServerName;
  /** The body; absent where there is none. */
  readonly content?: JsonObject;
}

/** What an `Authorization` header of the scheme X-Matrix says. */
export interface XMatrix {
  readonly origin: ServerName;
  readonly destination?: string;
  readonly keyId: string;
  /** Base64. */
  readonly signature: string;
}

/**
 * What is signed: server-server API, "Request Authentication", step 1. The content is canonical JSON, and so is all of it: PERF: it is
 * written once, for the body and for the signature, and canonical JSON has these keys in this order.
 */
export function textToSign(
  { method, uri, origin, destination }: Omit<ServerRequest, 'content'>,
  content: string | undefined,
): string {
  const members = [
    ...(content === undefined ? [] : [`"content":${content}`]),
    ...(destination === undefined ? [] : [`"destination":${canonicalString(destination)}`]),
    `"method":${canonicalString(method)}`,
    `"origin":${canonicalString(origin)}`,
    `"uri":${canonicalString(uri)}`,
  ];
  return `{${members.join(',')}}`;
}

const SCHEME = /^x-matrix[ \t]+/i;
/**
 * A parameter, and the comma behind it: RFC 9110, section 11.2. Values that are not quoted may hold what no token does, as the colons
 * that servers of before have in them.
 */
const PARAMETER =
  /[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))[ \t]*)?(?:,|$)/y;

/**
 * Reads a header: undefined where it is of another scheme, `'malformed'` where it cannot be read, lacks something, or says something
 * twice.
 */
export function parseXMatrix(header: string): XMatrix | 'malformed' | undefined {
  const [scheme] = SCHEME.exec(header) ?? [];
  if (scheme === undefined) return undefined;
  const parameters = readParameters(header.slice(scheme.length));
  const origin = parameters?.get('origin');
  const keyId = parameters?.get('key');
  // The specification's list of parameters says `signature`, its example and every server `sig`.
  const signature = parameters?.get('sig') ?? parameters?.get('signature');
  if (origin === undefined || !isServerName(origin) || keyId === undefined || signature === undefined) {
    return 'malformed';
  }
  return { origin, destination: parameters?.get('destination'), keyId, signature };
}

function readParameters(text: string): ReadonlyMap<string, string> | undefined {
  const parameters = new Map<string, string>();
  PARAMETER.lastIndex = 0;
  while (PARAMETER.lastIndex < text.length) {
    const match = PARAMETER.exec(text);
    if (match === null) return undefined;
    const [, name, quoted, bare] = match;
    if (name === undefined) continue; // nothing between two commas
    const key = name.toLowerCase();
    if (parameters.has(key)) return undefined;
    parameters.set(key, quoted?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '');
  }
  return parameters;
}
