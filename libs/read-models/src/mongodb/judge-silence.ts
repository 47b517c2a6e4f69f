import { MongoAPIError, MongoParseError, MongoServerError, MongoServerSelectionError } from 'mongodb';
import { tlsFaultOf } from '#kernel/tls-fault';
import type { Silence } from '#kernel/wait-for-server';
import { ViewsMisconfigured, ViewsUnavailable } from '../read-model-errors.js';
import { isAway, whyUnreachable, wordsOf } from './unreachable.js';

/** Up to the last `@`, for a password may hold what it should not; and the options, which may hold secrets, too. */
const SECRETS = /\/\/.*@|\?.*$/g;
/** AuthenticationFailed, Unauthorized, and the first of them as Atlas says it. */
const REFUSED = new Set([18, 13, 8000]);

/**
 * Why the database did not answer a try at the start. What is thrown at the end: ViewsMisconfigured where other settings are
 * needed, or another host, whose name may come late; else ViewsUnavailable. Throws what is neither.
 */
export function judgeSilence(url: string, error: unknown): Silence {
  const place = `The database of the views at ${url.replaceAll(SECRETS, (found) => (found.startsWith('?') ? '' : '//'))}`;
  const words = wordsOfSilence(error);
  const reason = `${place} does not answer: ${words}`;
  const because = { cause: error };
  const lasting = (mayPass: 'never' | 'soon', what = words): Silence => {
    return { reason, mayPass, error: new ViewsMisconfigured(`${place}: ${what}`, because) };
  };
  if (error instanceof MongoParseError || error instanceof MongoAPIError) return lasting('never');
  if (error instanceof MongoServerError && REFUSED.has(Number(error.code))) {
    return lasting('never', `it does not take the user and the password (${words})`);
  }
  const codes = codesOf(error);
  if (codes.length > 0 && codes.every((code) => code === 'ENOTFOUND')) return lasting('soon', 'its host is unknown');
  if (codes.length > 0 && codes.every((code) => tlsFaultOf(code) !== undefined)) {
    const [code] = codes;
    return tlsFaultOf(code) === 'no TLS'
      ? lasting('never', 'it does not speak TLS')
      : lasting('never', `its certificate is not trusted (${code}): name its authority with tlsCAFile`);
  }
  // Not of the network: a file that the URL names.
  if (isSystemError(error) && error.syscall === 'open') return lasting('never');
  // A server that refuses what it takes at other times is not ready.
  if (!isAway(error) && !(error instanceof MongoServerError)) throw error;
  return { reason, mayPass: 'any time', error: new ViewsUnavailable(reason, because) };
}

function wordsOfSilence(error: unknown): string {
  const unreachable = error instanceof MongoServerSelectionError && error.reason && whyUnreachable(error.reason);
  const words = unreachable || (error instanceof Error ? wordsOf(error) : String(error));
  return words.replaceAll(/\s+/g, ' ');
}

/** The codes that the connections to all hosts failed with; of one that failed without, there is undefined. */
function codesOf(error: unknown): (string | undefined)[] {
  if (error instanceof MongoServerSelectionError && error.reason !== undefined) {
    return [...error.reason.servers.values()].map((server) => codeOf(server.error));
  }
  return [codeOf(error)];
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return isSystemError(error) ? error.code : codeOf(error.cause);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
