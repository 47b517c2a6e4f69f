import type { TextKey } from '../projections/text-order.js';
import { type FoundEvent, isOf } from './found-events.js';
import type { SearchRequest } from './parse-search.js';
import type { Group, SearchPlace } from './search-token.js';

/** What was found for a page. */
interface FoundForPage {
  /** In the order of texts. */
  readonly found: readonly FoundEvent[];
  /** Those of them that were not told yet, in the order asked for. */
  readonly inOrder: readonly FoundEvent[];
  /** All up to it was looked at; undefined: all there is. */
  readonly end: TextKey | undefined;
}

/** A page of results, in the order asked for, and where the next one begins. */
export class SearchPage {
  readonly results: readonly FoundEvent[];
  /** How many there are in all; where they are many, how many of them were looked at. */
  readonly count: number;

  constructor(
    private readonly from: SearchPlace,
    private readonly request: Pick<SearchRequest, 'limit' | 'order'>,
    private readonly found: FoundForPage,
  ) {
    this.results = found.inOrder.slice(0, request.limit);
    this.count = Math.max(from.count, from.counted + found.found.length);
  }

  /** Where the next page begins if the first ones of the results are told; undefined where there is none. */
  next(told: number): SearchPlace | undefined {
    const { limit } = this.request;
    const { inOrder, end } = this.found;
    const isLast = limit === 0 || (told >= inOrder.length && end === undefined);
    return isLast ? undefined : this.#placeAfter(told);
  }

  /** As `next`, of a group of the results. */
  nextOf(group: Group, told: number): SearchPlace | undefined {
    const { inOrder, end } = this.found;
    const isLast = end === undefined && !inOrder.slice(told).some((one) => isOf(one, group));
    return isLast ? undefined : { ...this.#placeAfter(told), group };
  }

  #placeAfter(told: number): SearchPlace {
    const { from, count } = this;
    const { upTo, counted, group } = from;
    const { found, inOrder, end } = this.found;
    const same = { upTo, count, ...(group === undefined ? {} : { group }) };
    const isMore = told > 0 && told < inOrder.length;
    if (!isMore) return { ...same, behind: end, counted: counted + found.length };
    const { rank, key } = inOrder[told - 1]!;
    if (this.request.order === 'recent') return { ...same, behind: key, counted: counted + told };
    const together = { behind: from.behind, counted, ...(end === undefined ? {} : { until: end }) };
    return { ...same, ...together, last: { rank, key } };
  }
}
