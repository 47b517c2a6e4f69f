import type { Projector } from '#projections/projector';
import { userIdOfStream } from '#kernel/user-stream';
import type { FilterCreated } from '../facts/account-facts.js';

/** `filters` [user, filter id]: the filter's JSON text, as it was uploaded. */
export const filtersProjector: Projector = {
  name: 'filters',
  version: 1,
  collections: ['filters'],
  handles: (type) => type === 'filter-created',
  project: (fact, rows) => {
    const { filter_id: filterId, filter } = JSON.parse(fact.data) as FilterCreated;
    rows.put('filters', [userIdOfStream(fact.stream), filterId], JSON.stringify(filter));
  },
};
