import type { CustomFetchOptions } from 'openid-client';
import type { Outgoing } from '#http/outgoing/outgoing';
import { OF_OPERATOR, placeOf } from '#http/outgoing/place-of';

/** Somebody waits before a browser. */
const WITHIN_MS = 10_000;
/** The largest that comes is a set of keys, or the metadata. */
const MOST_BYTES = 512 * 1024;

/** What asks a provider for something: bounded, following no redirect. Throws OutgoingFailure. */
export function outgoingFetch(outgoing: Outgoing): (url: string, options: CustomFetchOptions) => Promise<Response> {
  return async (text, { method, headers, body }) => {
    const url = new URL(text);
    if (method !== 'GET' && method !== 'POST') throw new TypeError(`${method}: not asked of a provider`);
    if (body !== undefined && body !== null && typeof body !== 'string' && !(body instanceof URLSearchParams)) {
      throw new TypeError('A body is text');
    }
    const answer = await outgoing.send(placeOf(url, OF_OPERATOR), {
      method,
      path: `${url.pathname}${url.search}`,
      headers: { ...headers, host: url.host },
      ...(body === undefined || body === null ? {} : { body: body.toString() }),
      withinMs: WITHIN_MS,
      maxBytes: MOST_BYTES,
    });
    const shown = new Headers();
    for (const [name, value] of Object.entries(answer.headers)) {
      for (const one of [value ?? []].flat()) if (!UNPACKED.has(name)) shown.append(name, one);
    }
    const isBare = answer.status === 204 || answer.status === 304;
    return new Response(isBare ? null : new Uint8Array(answer.body), { status: answer.status, headers: shown });
  };
}

/** What is not so any more of a body that was read. */
const UNPACKED: ReadonlySet<string> = new Set(['content-encoding', 'content-length', 'transfer-encoding']);
