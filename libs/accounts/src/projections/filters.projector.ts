import type { UserId } from '#kernel/ids';
import { asText, Collection, owning } from '#projections/collection';
import type { RecordedFact } from '#event-store/event-store';
import type { OwnRows, Projector } from '#projections/projector';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact, FilterCreated } from '../facts/account-facts.js';
import { asksForErasure } from '../facts/erasable-parts.js';

export const FILTERS = new Collection<readonly [userId: UserId, filterId: string], string>('filters', {
  key: ['user', 'filter'],
  says: 'the filter as it was uploaded, JSON text',
  codec: asText(),
});

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>(['filter-created', 'account-deactivated']);

/** The filters that users have uploaded. */
export const filtersProjector: Projector = {
  name: 'filters',
  version: 2,
  ...owning(FILTERS),
  handles: (type) => TYPES.has(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  if (fact.type === 'filter-created') {
    const { filter_id: filterId, filter } = JSON.parse(fact.data) as FilterCreated;
    FILTERS.put(rows, [userId, filterId], JSON.stringify(filter));
  } else if (asksForErasure(fact)) {
    await FILTERS.forEach(rows, { prefix: [userId] }, ({ key }) => FILTERS.delete(rows, key));
  }
}
