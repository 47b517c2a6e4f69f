import type { UserId } from '#kernel/ids';
import { asText, Collection, owning } from '#projections/collection';
import type { Projector } from '#projections/projector';
import { userIdOfStream } from '#kernel/user-stream';
import type { FilterCreated } from '../facts/account-facts.js';

export const FILTERS = new Collection<readonly [userId: UserId, filterId: string], string>('filters', {
  key: ['user', 'filter'],
  says: 'the filter as it was uploaded, JSON text',
  codec: asText(),
});

/** The filters that users have uploaded. */
export const filtersProjector: Projector = {
  name: 'filters',
  version: 1,
  ...owning(FILTERS),
  handles: (type) => type === 'filter-created',
  project: (fact, rows) => {
    const { filter_id: filterId, filter } = JSON.parse(fact.data) as FilterCreated;
    FILTERS.put(rows, [userIdOfStream(fact.stream), filterId], JSON.stringify(filter));
  },
};
