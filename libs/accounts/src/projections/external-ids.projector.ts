import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';
import { asJson, asText, Collection, owning } from '#projections/collection';
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

export const EXTERNAL_ID_OWNERS = new Collection<readonly [idHash: string], UserId>('external-id-owners', {
  key: ['sha256 of provider and subject'],
  says: 'the user whose it is, while their account is open',
  codec: asText(),
});

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>(['external-id-linked', 'external-id-unlinked']);

/** Which accounts elsewhere the users here have. */
export const externalIdsProjector: Projector = {
  name: 'external-ids',
  version: 2,
  ...owning(EXTERNAL_IDS, EXTERNAL_ID_OWNERS),
  handles: (type) => TYPES.has(type) || type === 'account-deactivated' || type === 'account-reopened',
  isForgotten: (type) => type === ('external-id-unlinked' satisfies AccountFact['type']),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  if (type === 'external-id-linked') {
    const { provider, id_hash: idHash, subject = '' } = data;
    // What was erased since was unlinked, too.
    if (idHash === '') return;
    EXTERNAL_IDS.put(rows, [userId, idHash], { provider, subject });
    EXTERNAL_ID_OWNERS.put(rows, [idHash], userId);
  }
  if (type === 'external-id-unlinked') {
    EXTERNAL_IDS.delete(rows, [userId, data.id_hash]);
    await disown(rows, data.id_hash, userId);
  }
  if (type === 'account-reopened') {
    for await (const page of EXTERNAL_IDS.pages(rows, { prefix: [userId] }))
      for (const { key } of page) await ownAgain(rows, key[1], userId);
  }
  if (type !== 'account-deactivated') return;
  for await (const page of EXTERNAL_IDS.pages(rows, { prefix: [userId] })) {
    for (const { key } of page) {
      await disown(rows, key[1], userId);
      if (data.erase) EXTERNAL_IDS.delete(rows, key);
    }
  }
}

/** As `disown`. */
async function ownAgain(rows: OwnRows, idHash: string, userId: UserId): Promise<void> {
  if ((await EXTERNAL_ID_OWNERS.get(rows, [idHash])) === undefined) EXTERNAL_ID_OWNERS.put(rows, [idHash], userId);
}

/** It may be another user's by now. */
async function disown(rows: OwnRows, idHash: string, userId: UserId): Promise<void> {
  if ((await EXTERNAL_ID_OWNERS.get(rows, [idHash])) === userId) EXTERNAL_ID_OWNERS.delete(rows, [idHash]);
}
