import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';
import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { AccountFact } from '../facts/account-facts.js';
import type { Medium } from '../threepids/threepid.js';

/** Since when an account has an identifier, and when it was shown to be its owner's: in milliseconds since the epoch. */
export interface ThreepidRow {
  readonly validated_at: number;
  readonly added_at: number;
}

export const THREEPIDS = new Collection<readonly [userId: UserId, medium: Medium, address: string], ThreepidRow>(
  'threepids',
  {
    key: ['user', 'medium', 'address'],
    says: 'when it was validated and added',
    codec: asJson(),
  },
);

export const THREEPID_OWNERS = new Collection<readonly [medium: Medium, address: string], UserId>('threepid-owners', {
  key: ['medium', 'address'],
  says: 'the user whose account has it',
  codec: asText(),
});

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>([
  'threepid-added',
  'threepid-removed',
  'account-deactivated',
]);

/** Mail addresses and phone numbers of accounts. */
export const threepidsProjector: Projector = {
  name: 'threepids',
  version: 1,
  ...owning(THREEPIDS, THREEPID_OWNERS),
  handles: (type) => TYPES.has(type),
  isForgotten: (type) => type === ('threepid-removed' satisfies AccountFact['type']),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  if (type === 'account-deactivated') {
    for await (const page of THREEPIDS.pages(rows, { prefix: [userId] })) {
      for (const { key } of page) await remove(rows, userId, key[1], key[2]);
    }
    return;
  }
  if (type !== 'threepid-added' && type !== 'threepid-removed') return;
  const { medium, address } = data;
  // What was erased since was removed, too.
  if (address === undefined) return;
  if (type === 'threepid-removed') return remove(rows, userId, medium, address);
  const { validated_at, added_at } = data;
  THREEPIDS.put(rows, [userId, medium, address], { validated_at, added_at });
  THREEPID_OWNERS.put(rows, [medium, address], userId);
}

/** It may be another account's by now. */
async function remove(rows: OwnRows, userId: UserId, medium: Medium, address: string): Promise<void> {
  THREEPIDS.delete(rows, [userId, medium, address]);
  const owner = await THREEPID_OWNERS.get(rows, [medium, address]);
  if (owner === userId) THREEPID_OWNERS.delete(rows, [medium, address]);
}
