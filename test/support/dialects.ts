import type { Answer, Client } from './homeserver.js';

/** Asks for somebody: paths are behind that of the API. */
export type Ask = (
  who: Pick<Client, 'server' | 'token'>,
  method: string,
  path: string,
  body?: unknown,
) => Promise<Answer>;

export const V3 = '/_matrix/client/v3';
export const V1 = '/_matrix/client/api/v1';

const askToday: Ask = ({ server, token }, method, path, body) =>
  server.request(method, `${V3}${path}`, { token, body });

/** API v1 has the access token in the query. */
export const askV1: Ask = ({ server, token }, method, path, body) => {
  const query = `${path.includes('?') ? '&' : '?'}access_token=${encodeURIComponent(token)}`;
  return server.request(method, `${V1}${path}${query}`, { body });
};

/** How applications of today, and those of 2014/15, ask for their users. */
export const DIALECTS: readonly (readonly [name: string, ask: Ask])[] = [
  ['today', askToday],
  ['2015', askV1],
];
