import type { Threepid } from '#accounts/threepids/threepid';
import type { RecordedFact } from '#event-store/event-store';
import type { ServerName, UserId } from '#kernel/ids';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { hashOfAssociation, type IdentityFact, readIdentityFact } from '../facts/identity-facts.js';

/** What this identity server says itself of an identifier. Times in milliseconds since the epoch. */
export interface FeedRow {
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

/** What is known of an identifier, whoever said it. */
interface HeadRow {
  readonly mxid: UserId;
  readonly ts: number;
  readonly by: ServerName;
  /** Where this server's own word of it stands in the feed. */
  readonly told?: string;
}

export const ASSOCIATION_FEED = new Collection<readonly [position: string], FeedRow>('association-feed', {
  key: ['position of the fact'],
  says: 'what this identity server says of an identifier, last: whose it is, or, without the identifier, that it is theirs no more',
  codec: asJson(),
});

export const ASSOCIATION_HEADS = new Collection<readonly [hash: string], HeadRow>('association-heads', {
  key: ['hash of an identifier'],
  says: 'how it became whose it was last, and where this server’s own word of it stands in the feed',
  codec: asJson(),
});

const HANDLED: ReadonlySet<string> = new Set<IdentityFact['type']>([
  'association-made',
  'association-learnt',
  'association-ended',
  'association-end-learnt',
]);

/**
 * What other identity servers are told that trust this one: of each identifier the last word of its own, in the order in which they were said. Of what has
 * ended, or was overtaken, no more than a hash is left.
 */
export const identityFeedProjector: Projector = {
  name: 'association-feed',
  version: 1,
  ...owning(ASSOCIATION_FEED, ASSOCIATION_HEADS),
  handles: (type) => HANDLED.has(type),
  project,
};

async function project(recorded: RecordedFact, rows: OwnRows): Promise<void> {
  const { position, stream } = recorded;
  const fact = readIdentityFact(recorded);
  const hash = hashOfAssociation(stream);
  const head = await ASSOCIATION_HEADS.get(rows, [hash]);
  const own = head?.told === undefined ? undefined : await ASSOCIATION_FEED.get(rows, [head.told]);
  const told = ownWord(fact, hash, head, own);
  const { mxid, ts, by } = newHead(fact, head);
  if (told !== undefined) {
    if (head?.told !== undefined) ASSOCIATION_FEED.delete(rows, [head.told]);
    ASSOCIATION_FEED.put(rows, [position], told);
  }
  const at = told === undefined ? head?.told : position;
  ASSOCIATION_HEADS.put(rows, [hash], { mxid, ts, by, ...(at === undefined ? {} : { told: at }) });
}

/** What this server says of it from here on; undefined where that stays as it was. */
function ownWord(
  { type, data }: IdentityFact,
  hash: string,
  head: HeadRow | undefined,
  own: FeedRow | undefined,
): FeedRow | undefined {
  if (type === 'association-made') {
    const { mxid, ts, by, not_before, not_after, of } = data;
    return { hash, mxid, ts, by, not_before, not_after, of };
  }
  if (type === 'association-ended') {
    const made = head ?? { mxid: data.mxid, ts: data.ts, by: data.by };
    return endedRow({ hash, mxid: made.mxid, ts: made.ts, by: made.by }, data.ts);
  }
  if (type !== 'association-learnt' && type !== 'association-end-learnt') return undefined;
  // Somebody else has overtaken or ended it.
  return own === undefined || own.ended !== undefined ? undefined : endedRow(own, data.ts);
}

function endedRow({ hash, mxid, ts, by }: Pick<FeedRow, 'hash' | 'mxid' | 'ts' | 'by'>, ended: number): FeedRow {
  return { hash, mxid, ts, by, not_before: 0, not_after: 0, of: null, ended };
}

function newHead({ type, data }: IdentityFact, head: HeadRow | undefined): Omit<HeadRow, 'told'> {
  if (type === 'association-made' || type === 'association-learnt') return data;
  if (type === 'association-end-learnt') return { mxid: data.mxid, ts: data.made_ts, by: data.made_by };
  if (head !== undefined) return head;
  const { mxid, ts, by } = data as { mxid: UserId; ts: number; by: ServerName }; // of what has ended, which was begun before
  return { mxid, ts, by };
}
