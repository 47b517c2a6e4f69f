import { MatrixError } from '#kernel/matrix-error';

/** The query of a request as the router parsed it: a key given twice has an array. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * The value of a key; undefined where it is absent, and where it is empty, for clients leave a parameter out as `limit=` too. Throws
 * M_INVALID_PARAM where it is given twice: which of the two was meant is not for the server to guess. Keys that no door asks for are let be.
 */
export function queryText(query: Query, key: string): string | undefined {
  const value = query[key];
  if (value === undefined || typeof value === 'string') return value || undefined;
  throw new MatrixError('M_INVALID_PARAM', `${key}: given more than once`);
}

/** The value of a key that must be there: else M_MISSING_PARAM. */
export function requiredText(query: Query, key: string): string {
  const text = queryText(query, key);
  if (text === undefined) throw new MatrixError('M_MISSING_PARAM', `${key}: required`);
  return text;
}

export interface IntegerBounds {
  /** A value below is refused. Default 0. */
  readonly min?: number;
  /** A value above is refused. */
  readonly max?: number;
  /** A value above counts as this one: for limits, where the server may answer less than was asked for. */
  readonly cap?: number;
}

/** An integer, undefined where the key is absent. Throws M_INVALID_PARAM. */
export function queryInteger(query: Query, key: string, bounds: IntegerBounds = {}): number | undefined {
  const text = queryText(query, key);
  if (text === undefined) return undefined;
  const { min = 0, max = Number.MAX_SAFE_INTEGER, cap = max } = bounds;
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new MatrixError('M_INVALID_PARAM', `${key}: not an integer in range`);
  return Math.min(value, cap);
}

/** `true` or `false`, undefined where the key is absent. Throws M_INVALID_PARAM. */
export function queryBoolean(query: Query, key: string): boolean | undefined {
  const text = queryText(query, key);
  if (text === undefined) return undefined;
  if (text === 'true' || text === 'false') return text === 'true';
  throw new MatrixError('M_INVALID_PARAM', `${key}: neither true nor false`);
}

/** One of the values, undefined where the key is absent. Throws M_INVALID_PARAM. */
export function queryEnum<T extends string>(query: Query, key: string, values: readonly T[]): T | undefined {
  const text = queryText(query, key);
  if (text === undefined) return undefined;
  const value = values.find((one) => one === text);
  if (value === undefined) throw new MatrixError('M_INVALID_PARAM', `${key}: not one of ${values.join(', ')}`);
  return value;
}
