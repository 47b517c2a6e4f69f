import { type Outgoing, type OutgoingAnswer, OutgoingFailure } from '#http/outgoing/outgoing';
import { placeOf } from '#http/outgoing/place-of';
import { isServerName, type ServerName } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import { messageOf } from '#kernel/message-of';
import { SOFTWARE } from '#kernel/software';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { splitServerName } from './split-server-name.js';

/** What a host says of where its Matrix server is. */
export interface WellKnown {
  readonly delegated: ServerName | undefined;
  /** In words. */
  readonly outcome: string;
  /** For how long it counts. */
  readonly keepMs: number;
  /** Whether the host answered at all. */
  readonly isAnswer: boolean;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const LEAST_KEEP_MS = 5 * MINUTE_MS;
const DEFAULT_KEEP_MS = 24 * HOUR_MS;
const MOST_KEEP_MS = 48 * HOUR_MS;
const ERROR_KEEP_MS = HOUR_MS;

const MAX_BYTES = 50 * 1024;
const WITHIN_MS = 10_000;
const MOST_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Asks a host for `/.well-known/matrix/server` (server-server API, "Resolving server names", 3), over HTTPS only, also where it sends
 * us elsewhere. Never throws: what goes wrong is said in the outcome.
 */
export async function fetchWellKnown(host: string, outgoing: Pick<Outgoing, 'send'>): Promise<WellKnown> {
  const first = `https://${host}/.well-known/matrix/server`;
  const failAt = (href: string, why: string, isAnswer: boolean): WellKnown => {
    const outcome = `${href.slice(0, 300)}: ${why}`;
    return { delegated: undefined, outcome, keepMs: ERROR_KEEP_MS, isAnswer };
  };
  // Server names may have hosts that URLs may not, as numbers that are too large for an IPv4 address.
  if (!URL.canParse(first)) return failAt(first, 'is no URL', true);
  let url = new URL(first);
  const fail = (why: string, isAnswer: boolean): WellKnown => failAt(url.href, why, isAnswer);
  const began = performance.now();
  try {
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const answer = await ask(url, outgoing, WITHIN_MS - (performance.now() - began));
      if (!REDIRECTS.has(answer.status)) return read(answer, url, fail);
      const { location } = answer.headers;
      if (typeof location !== 'string' || !URL.canParse(location, url.href)) return fail('leads nowhere', true);
      url = new URL(location, url);
      if (url.protocol !== 'https:') return fail('is not served over HTTPS', true);
    }
    return fail(`led on more than ${MOST_REDIRECTS} times`, true);
  } catch (error) {
    if (error instanceof OutgoingFailure) return fail(error.message, error.hasBegun);
    return fail(messageOf(error), false);
  }
}

function ask(url: URL, outgoing: Pick<Outgoing, 'send'>, leftMs: number): Promise<OutgoingAnswer> {
  return outgoing.send(placeOf(url), {
    method: 'GET',
    path: url.pathname + url.search,
    headers: { host: url.host, 'user-agent': `${SOFTWARE.name}/${SOFTWARE.version}`, 'accept-encoding': 'gzip' },
    withinMs: Math.max(1, Math.ceil(leftMs)),
    maxBytes: MAX_BYTES,
  });
}

function read(
  { status, headers, body }: OutgoingAnswer,
  url: URL,
  fail: (why: string, isAnswer: boolean) => WellKnown,
): WellKnown {
  if (status !== 200) return fail(`answers ${status}`, true);
  let content: unknown;
  try {
    content = parseJson(body, { lenient: true });
  } catch {
    return fail('is no JSON', true);
  }
  const named = isJsonObject(content) ? content['m.server'] : undefined;
  if (typeof named !== 'string') return fail('has no m.server', true);
  if (!isServerName(named) || splitServerName(named) === undefined)
    return fail(`m.server is no server name: ${JSON.stringify(named.slice(0, 80))}`, true);
  const keepMs = keepFor(headers['cache-control']);
  const outcome = `${url.href.slice(0, 300)}: m.server is ${named}; it counts for ${Math.round(keepMs / MINUTE_MS)} minutes`;
  return { delegated: named, outcome, keepMs, isAnswer: true };
}

/** For how long an answer may be kept, by its `Cache-Control`: a day where it does not say, two at most, five minutes at least. */
export function keepFor(cacheControl: string | string[] | undefined): number {
  const text = [cacheControl ?? []].flat().join(',').toLowerCase();
  if (/(^|[\s,])no-(store|cache)([\s,=]|$)/.test(text)) return LEAST_KEEP_MS;
  const [, seconds] = /(?:^|[\s,])max-age\s*=\s*"?(\d{1,12})/.exec(text) ?? [];
  if (seconds === undefined) return DEFAULT_KEEP_MS;
  return Math.min(MOST_KEEP_MS, Math.max(LEAST_KEEP_MS, Number(seconds) * 1000));
}
