import { Inject, Injectable } from '@nestjs/common';
import { parseFilter } from '#accounts/filters/filter';
import { findFilterText } from '#accounts/filters/find-filter-text';
import { parseJsonParameter } from '#http/json-text';
import { serverNameOf, type UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { compileSyncFilter, type SyncFilter } from './sync-filter.js';

const NO_FILTER = compileSyncFilter({});
const CACHED = 2_000;

/** Finds what the parameter `filter` of /sync means. A filter of an id never changes, so prepared ones are kept. */
@Injectable()
export class SyncFilters {
  readonly #prepared = new LruCache<string, SyncFilter>(CACHED);

  constructor(@Inject(VIEWS) private readonly views: Pick<Views, 'get'>) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#prepared.numbers;
  }

  /** `text` is a filter's id, or the filter itself as JSON. Throws M_INVALID_PARAM, M_NOT_JSON, M_BAD_JSON. */
  async get(userId: UserId, text: string | undefined): Promise<SyncFilter> {
    if (text === undefined || text === '') return NO_FILTER;
    const key = text.startsWith('{') ? text : `${userId} ${text}`;
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const json = text.startsWith('{') ? text : await findFilterText(this.views, userId, text);
    if (json === undefined) throw new MatrixError('M_INVALID_PARAM', 'filter: there is no filter of this id');
    const filter = compileSyncFilter(parseFilter(parseJsonParameter('filter', json), serverNameOf(userId)));
    this.#prepared.set(key, filter);
    return filter;
  }
}
