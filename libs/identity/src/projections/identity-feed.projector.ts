import type { Threepid } from '#accounts/threepids/threepid';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import {
  idOfEndedAssociation,
  type IdentityFact,
  type IdentityReader,
  readIdentityFact,
  userIdOfIdentityAccount,
} from '../facts/identity-facts.js';

/** What this identity server says itself of an association. Times in milliseconds since the epoch. */
export interface AssociationWord {
  readonly id: string;
  /** When it was made, or ended. */
  readonly ts: number;
  /** Absent: it has ended. */
  readonly is?: {
    readonly of: Threepid;
    readonly mxid: UserId;
    readonly not_before: number;
    readonly not_after: number;
  };
}

/** What this identity server was told by a user of who may find them, since `ts`. */
export interface ReadersWord {
  readonly mxid: UserId;
  readonly ts: number;
  readonly readers: readonly IdentityReader[];
}

export const IDENTITY_FEED = new Collection<readonly [position: string], AssociationWord | ReadersWord>(
  'identity-feed',
  {
    key: ['position of the fact'],
    says: 'what this identity server says of an association, last: what it is of, and whose, or, without either, that it has ended; or of a user, who may find them',
    codec: asJson(),
  },
);

export const IDENTITY_FEED_PLACES = new Collection<readonly [of: string], string>('identity-feed-places', {
  key: ['id of an association, or user'],
  says: 'where what this identity server says of it stands in its feed',
  codec: asText(),
});

const HANDLED: ReadonlySet<string> = new Set<IdentityFact['type']>([
  'association-made',
  'association-ended',
  'association-end-learnt',
  'association-overtaken',
  'identity-readers-set',
]);

/**
 * What other identity servers are told that trust this one: of each association, and of each user, the last word of its own, in the order in which they were
 * said. Of what has ended, or was overtaken, no more than its id is left.
 */
export const identityFeedProjector: Projector = {
  name: 'identity-feed',
  version: 2,
  ...owning(IDENTITY_FEED, IDENTITY_FEED_PLACES),
  handles: (type) => HANDLED.has(type),
  project,
};

async function project(recorded: RecordedFact, rows: OwnRows): Promise<void> {
  const { position, stream, metadata } = recorded;
  const { type, data } = readIdentityFact(recorded);
  switch (type) {
    case 'identity-readers-set': {
      const mxid = userIdOfIdentityAccount(stream);
      return tell(rows, mxid, position, { mxid, ts: metadata.at, readers: data.readers });
    }
    case 'association-made': {
      const { association_id: id, ts, of, mxid, not_before, not_after } = data;
      const is = of === null || mxid === undefined ? {} : { is: { of, mxid, not_before, not_after } };
      return tell(rows, id, position, { id, ts, ...is });
    }
    case 'association-ended':
      return tell(rows, data.association_id, position, { id: data.association_id, ts: data.ts });
    case 'association-end-learnt': {
      const { association_id: id, ts } = data;
      // What somebody else has made, and ended, they tell themselves.
      const isOurs = await IDENTITY_FEED_PLACES.has(rows, [id]);
      return isOurs ? tell(rows, id, position, { id, ts }) : undefined;
    }
    case 'association-overtaken': {
      const id = idOfEndedAssociation(stream);
      return tell(rows, id, position, { id, ts: data.ts });
    }
    default:
  }
}

/** Puts it in the place of what was said before. */
async function tell(rows: OwnRows, of: string, position: string, word: AssociationWord | ReadersWord): Promise<void> {
  const before = await IDENTITY_FEED_PLACES.get(rows, [of]);
  if (before !== undefined) IDENTITY_FEED.delete(rows, [before]);
  IDENTITY_FEED.put(rows, [position], word);
  IDENTITY_FEED_PLACES.put(rows, [of], position);
}
