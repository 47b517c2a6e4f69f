import { MatrixError } from '#kernel/matrix-error';
import { queryText, type Query } from './query.js';

/** The pagination parameters that API v1 has everywhere, as they came. */
export interface PageParameters {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly limit: number | undefined;
  /** Not in the first texts, but what clients of the time sent. */
  readonly dir: 'b' | 'f' | undefined;
}

/** One end of what is asked for: an end of the dataset, or a place in it. */
export type Bound<T> = 'START' | 'END' | T;

/** What a request for a page means. Places are exclusive: whoever knows a token has what it stands for. */
export interface PagePlan<T> {
  /** `f`: from earlier to later. */
  readonly direction: 'b' | 'f';
  readonly from: Bound<T>;
  readonly to: Bound<T>;
  readonly limit: number | undefined;
  /** The request said so with `dir`: then `start` is where the page began and `end` where it goes on. */
  readonly isDirected: boolean;
}

/** How a kind of place is read and ordered. */
export interface Places<T> {
  /** undefined for what is no token of this kind. */
  find(token: string): T | undefined;
  compare(a: T, b: T): number;
  /** Whether it was in a part of the list that is lost, and stands before all that has taken its place. */
  isLost?(place: T): boolean;
}

/** Reads the parameters. Throws M_BAD_PAGINATION. */
export function readPageParameters(query: Query): PageParameters {
  const limit = queryText(query, 'limit');
  if (limit !== undefined && !/^\d{1,15}$/.test(limit)) throw bad('limit: not a number');
  const dir = queryText(query, 'dir');
  if (dir !== undefined && dir !== 'b' && dir !== 'f') throw bad('dir: neither b nor f');
  return {
    from: queryText(query, 'from'),
    to: queryText(query, 'to'),
    limit: limit === undefined ? undefined : Number(limit),
    dir,
  };
}

/**
 * Decides what a page is: client-server API v1, "Pagination". "Unless specified, the default pagination parameters are
 * from=START, to=END"; which of the two is earlier decides the direction, unless `dir` says it. Throws M_BAD_PAGINATION for
 * tokens that are none and for a direction that leads away from `to`.
 */
export function planPage<T>({ from, to, limit, dir }: PageParameters, places: Places<T>): PagePlan<T> {
  const begin = readBound(from, places, 'from') ?? (dir === 'b' ? 'END' : 'START');
  const end = readBound(to, places, 'to') ?? (dir === 'b' ? 'START' : 'END');
  const order = compareBounds(begin, end, places);
  if (dir !== undefined && order !== 0 && order < 0 !== (dir === 'f')) throw bad('dir leads away from to');
  const direction = dir ?? (order > 0 ? 'b' : 'f');
  const isDirected = dir !== undefined;
  if (direction === 'b') return { direction, from: upperBound(begin, places), to: end, limit, isDirected };
  return { direction, from: begin, to: upperBound(end, places), limit, isDirected };
}

/** What has taken the place of something lost is not left out of a page that ended there, or began. */
function upperBound<T>(bound: Bound<T>, places: Places<T>): Bound<T> {
  return bound !== 'START' && bound !== 'END' && places.isLost?.(bound) === true ? 'END' : bound;
}

/**
 * The tokens of a page that was read from `from` as far as `reached`. Without `dir`, `start` is its earlier end and `end`
 * its later one: "If the client wants earlier results, they should use from=$start, to=START".
 */
export function pageEnds<T>(
  plan: Pick<PagePlan<unknown>, 'direction' | 'isDirected'>,
  from: T,
  reached: T,
): { start: T; end: T } {
  const isTurned = plan.direction === 'b' && !plan.isDirected;
  return isTurned ? { start: reached, end: from } : { start: from, end: reached };
}

function readBound<T>(text: string | undefined, places: Places<T>, name: string): Bound<T> | undefined {
  if (text === undefined || text === 'START' || text === 'END') return text;
  const place = places.find(text);
  if (place === undefined) throw bad(`${name}: not a token of this list`);
  return place;
}

function compareBounds<T>(a: Bound<T>, b: Bound<T>, places: Places<T>): number {
  if (a === b) return 0;
  if (a === 'START' || b === 'END') return -1;
  if (a === 'END' || b === 'START') return 1;
  return places.compare(a, b);
}

function bad(message: string): MatrixError {
  return new MatrixError('M_BAD_PAGINATION', message);
}

/** A page of a list that is in memory, in order: what API v1 answers for lists that are no streams. */
export function pageOfList<T, P>(
  list: readonly T[],
  plan: PagePlan<P>,
  placeOf: (item: T) => P,
  places: Places<P>,
): { readonly items: readonly T[]; readonly start: Bound<P>; readonly end: Bound<P> } {
  const [lower, upper] = plan.direction === 'f' ? [plan.from, plan.to] : [plan.to, plan.from];
  const within = list.filter((item) => {
    const place = placeOf(item);
    return compareBounds<P>(lower, place, places) < 0 && compareBounds<P>(place, upper, places) < 0;
  });
  const ordered = plan.direction === 'f' ? within : within.toReversed();
  const items = plan.limit === undefined ? ordered : ordered.slice(0, plan.limit);
  const [first] = items;
  const last = items.at(-1);
  if (first === undefined || last === undefined) return { items, ...pageEnds(plan, plan.from, plan.from) };
  return { items, ...pageEnds<Bound<P>>(plan, plan.isDirected ? plan.from : placeOf(first), placeOf(last)) };
}
