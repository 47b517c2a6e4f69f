import type { FastifyRequest } from 'fastify';

/** Where today's API is served: v3, and r0 as it was called before. */
export const TODAY: readonly string[] = ['_matrix/client/v3', '_matrix/client/r0'];

const ALPHA = '_matrix/client/v2_alpha';

/** Where clients look for what was tried out under no name of its own, and is in today's API. */
export const UNSTABLE = '_matrix/client/unstable';

/** Today's API, and the version between 2015's and today's where a path was there already. */
export const TODAY_AND_ALPHA: readonly string[] = [...TODAY, ALPHA];

/** Where the API of 2014 and 2015 is served. */
export const V1 = '_matrix/client/api/v1';

/** Whether a request came in at a door of 2014 or 2015, whose clients follow the documents of their time. */
export function isOldDoor({ url }: Pick<FastifyRequest, 'url'>): boolean {
  return url.startsWith(`/${V1}/`) || isAlphaDoor({ url });
}

/** Whether a request came in at the door between 2015's and today's. */
export function isAlphaDoor({ url }: Pick<FastifyRequest, 'url'>): boolean {
  return url.startsWith(`/${ALPHA}/`);
}

/** `path` under each prefix. */
export function under(prefixes: readonly string[], path: string): string[] {
  return prefixes.map((prefix) => `${prefix}/${path}`);
}
