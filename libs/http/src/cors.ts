import type { FastifyReply } from 'fastify';

/** What lets any web page use the API: client-server API, "Web Browser Clients". */
const CORS_HEADERS = Object.freeze({
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE, OPTIONS',
  'access-control-allow-headers': 'X-Requested-With, Content-Type, Authorization, Date, If-Match, If-None-Match',
  // Pages see no other header of an answer than they are let: "Rate limiting" tells clients to go by the first, MSC4108 by the second.
  'access-control-expose-headers': 'Retry-After, RateLimit, RateLimit-Policy, ETag',
});

/** The same as lines of HTTP, for answers that are written to a socket. */
export const CORS_LINES = Object.entries(CORS_HEADERS)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

/** Lets web clients of any origin read an answer: client-server API, "Web Browser Clients". */
export function setCorsHeaders(reply: FastifyReply): void {
  void reply.headers(CORS_HEADERS);
}
