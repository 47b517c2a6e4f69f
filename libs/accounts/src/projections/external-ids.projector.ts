import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { AccountFact } from '../facts/account-facts.js';

/** An account elsewhere that a user has. */
export interface ExternalIdRow {
  readonly provider: string;
  readonly subject: string;
}

export const EXTERNAL_IDS = new Collection<readonly [userId: UserId, idHash: string], ExternalIdRow>('external-ids', {
  key: ['user', 'sha256 of provider and subject'],
  says: 'an account elsewhere that is theirs: of which provider, and what that calls it',
  codec: asJson(),
});

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>(['external-id-linked', 'external-id-unlinked']);

/** Which accounts elsewhere the users here have. */
export const externalIdsProjector: Projector = {
  name: 'external-ids',
  version: 1,
  ...owning(EXTERNAL_IDS),
  handles: (type) => TYPES.has(type) || type === 'account-deactivated',
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  if (type === 'external-id-linked') {
    const { provider, id_hash: idHash, subject = '' } = data;
    EXTERNAL_IDS.put(rows, [userId, idHash], { provider, subject });
  }
  if (type === 'external-id-unlinked') EXTERNAL_IDS.delete(rows, [userId, data.id_hash]);
  if (type === 'account-deactivated' && data.erase) {
    await EXTERNAL_IDS.forEach(rows, { prefix: [userId] }, ({ key }) => EXTERNAL_IDS.delete(rows, key));
  }
}
