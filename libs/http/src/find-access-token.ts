import type { FastifyRequest } from 'fastify';
import { queryText, type Query } from './query.js';

const IN_QUERY = /^\/_matrix\/(?:client\/(?:api\/v1|v2_alpha|r0|v3|unstable)|media\/(?:v1|r0|v3))\//;
const BEARER = /^Bearer +(\S+) *$/i;

/**
 * The access token of a request: of its Authorization header or, on the paths of the client-server API up to v3 and of media, of the query
 * parameter `access_token` (the only way in 2015; deprecated since, and what historic clients do). Undefined where there is
 * none. Throws M_INVALID_PARAM where the query has two.
 */
export function findAccessToken(request: FastifyRequest): string | undefined {
  const header = request.headers.authorization;
  if (header !== undefined) {
    const match = BEARER.exec(header);
    if (match !== null) return match[1];
  }
  const { url } = request;
  if (!url.includes('access_token') || !IN_QUERY.test(url)) return undefined;
  return queryText(request.query as Query, 'access_token'); // The router's parser makes no other form.
}
