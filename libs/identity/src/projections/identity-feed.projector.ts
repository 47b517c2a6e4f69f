import type { Threepid } from '#accounts/threepids/threepid';
import type { RecordedFact } from '#event-store/event-store';
import type { ServerName, UserId } from '#kernel/ids';
import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import {
  hashOfAssociation,
  type IdentityFact,
  type IdentityReader,
  readIdentityFact,
  userIdOfIdentityAccount,
} from '../facts/identity-facts.js';

/** What this identity server says itself of an identifier. Times in milliseconds since the epoch. */
export interface AssociationWord {
  /** Of the identifier. */
  readonly hash: string;
  readonly mxid: UserId;
  /** When it was made the user's, and by which identity server: that, where it has ended. */
  readonly ts: number;
  readonly by: ServerName;
  readonly not_before: number;
  readonly not_after: number;
  /** null: it has ended. */
  readonly of: Threepid | null;
  /** When it ended. */
  readonly ended?: number;
}

/** What this identity server was told by a user of who may find them, since `ts`. */
export interface ReadersWord {
  readonly mxid: UserId;
  readonly ts: number;
  readonly readers: readonly IdentityReader[];
}

/** What is known of an identifier, whoever said it: how it became whose it was last. */
interface HeadRow {
  readonly mxid: UserId;
  readonly ts: number;
  readonly by: ServerName;
}

export const IDENTITY_FEED = new Collection<readonly [position: string], AssociationWord | ReadersWord>(
  'identity-feed',
  {
    key: ['position of the fact'],
    says: 'what this identity server says of an identifier, last: whose it is, or, without the identifier, that it is theirs no more; or of a user, who may find them',
    codec: asJson(),
  },
);

export const IDENTITY_FEED_PLACES = new Collection<readonly [of: string], string>('identity-feed-places', {
  key: ['hash of an identifier, or user'],
  says: 'where what this identity server says of it stands in its feed',
  codec: asText(),
});

export const ASSOCIATION_HEADS = new Collection<readonly [hash: string], HeadRow>('association-heads', {
  key: ['hash of an identifier'],
  says: 'how it became whose it was last, by the word of whichever identity server',
  codec: asJson(),
});

const HANDLED: ReadonlySet<string> = new Set<IdentityFact['type']>([
  'association-made',
  'association-learnt',
  'association-ended',
  'association-end-learnt',
  'identity-readers-set',
]);

/**
 * What other identity servers are told that trust this one: of each identifier, and of each user, the last word of its own, in the order in which they were
 * said. Of what has ended, or was overtaken, no more than a hash is left.
 */
export const identityFeedProjector: Projector = {
  name: 'identity-feed',
  version: 1,
  ...owning(IDENTITY_FEED, IDENTITY_FEED_PLACES, ASSOCIATION_HEADS),
  handles: (type) => HANDLED.has(type),
  project,
};

async function project(recorded: RecordedFact, rows: OwnRows): Promise<void> {
  const { position, stream, metadata } = recorded;
  const fact = readIdentityFact(recorded);
  if (fact.type === 'identity-readers-set') {
    const mxid = userIdOfIdentityAccount(stream);
    return tell(rows, mxid, position, { mxid, ts: metadata.at, readers: fact.data.readers });
  }
  const hash = hashOfAssociation(stream);
  const head = await ASSOCIATION_HEADS.get(rows, [hash]);
  const place = await IDENTITY_FEED_PLACES.get(rows, [hash]);
  const own = place === undefined ? undefined : await IDENTITY_FEED.get(rows, [place]);
  const word = ownWord(fact, hash, head, own as AssociationWord | undefined); // under the hash of an identifier
  if (word !== undefined) await tell(rows, hash, position, word);
  ASSOCIATION_HEADS.put(rows, [hash], newHead(fact, head));
}

/** Puts it in the place of what was said before. */
async function tell(rows: OwnRows, of: string, position: string, word: AssociationWord | ReadersWord): Promise<void> {
  const before = await IDENTITY_FEED_PLACES.get(rows, [of]);
  if (before !== undefined) IDENTITY_FEED.delete(rows, [before]);
  IDENTITY_FEED.put(rows, [position], word);
  IDENTITY_FEED_PLACES.put(rows, [of], position);
}

/** What this server says of it from here on; undefined where that stays as it was. */
function ownWord(
  { type, data }: IdentityFact,
  hash: string,
  head: HeadRow | undefined,
  own: AssociationWord | undefined,
): AssociationWord | undefined {
  if (type === 'association-made') {
    const { mxid, ts, by, not_before, not_after, of } = data;
    return { hash, mxid, ts, by, not_before, not_after, of };
  }
  if (type === 'association-ended') {
    const { mxid, ts, by } = head ?? data;
    return endedWord({ hash, mxid, ts, by }, data.ts);
  }
  if (type !== 'association-learnt' && type !== 'association-end-learnt') return undefined;
  // Somebody else has overtaken or ended it.
  return own === undefined || own.ended !== undefined ? undefined : endedWord(own, data.ts);
}

function endedWord(
  { hash, mxid, ts, by }: Pick<AssociationWord, 'hash' | 'mxid' | 'ts' | 'by'>,
  ended: number,
): AssociationWord {
  return { hash, mxid, ts, by, not_before: 0, not_after: 0, of: null, ended };
}

function newHead({ type, data }: IdentityFact, head: HeadRow | undefined): HeadRow {
  if (type === 'association-end-learnt') return { mxid: data.mxid, ts: data.made_ts, by: data.made_by };
  if (type === 'association-ended' && head !== undefined) return head;
  const { mxid, ts, by } = data as HeadRow; // of what was made, or has ended though nobody had heard of it
  return { mxid, ts, by };
}
