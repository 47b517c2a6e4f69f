/** Where today's API is served: v3, and r0 as it was called before. */
export const TODAY: readonly string[] = ['_matrix/client/v3', '_matrix/client/r0'];

/** Today's API, and the version between 2015's and today's where a path was there already. */
export const TODAY_AND_ALPHA: readonly string[] = [...TODAY, '_matrix/client/v2_alpha'];

/** Where the API of 2014 and 2015 is served. */
export const V1 = '_matrix/client/api/v1';

/** `path` under each prefix. */
export function under(prefixes: readonly string[], path: string): string[] {
  return prefixes.map((prefix) => `${prefix}/${path}`);
}
