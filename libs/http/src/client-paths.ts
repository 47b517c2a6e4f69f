/** Where today's client-server API is served: v3, and r0 as it was called before. */
export const TODAY: readonly string[] = ['_matrix/client/v3', '_matrix/client/r0'];

/** Where the API of 2014 and 2015 is served. */
export const API_V1 = '_matrix/client/api/v1';

/** `path` under each prefix, for a controller. */
export function under(prefixes: readonly string[], path: string): string[] {
  return prefixes.map((prefix) => `${prefix}/${path}`);
}
