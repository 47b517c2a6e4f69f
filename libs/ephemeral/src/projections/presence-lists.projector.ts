import type { RecordedFact } from '#event-store/event-store';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, asMark, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { relationAfter } from '../decide/decide-subscriptions.js';
import type { Relation } from '../decide/relations.js';
import {
  readSubscriptionFact,
  type SubscriptionFact,
  SUBSCRIPTION_SHAPES,
  userIdOfSubscriptions,
} from '../facts/subscription-facts.js';

/** How two users stand to each other, and where that changed; where it is over it says that, and what was refused last, alone. */
export interface RelationRow extends Relation {
  readonly pos: Position;
  /** Where the owner decided last what the other, and their server, is to hear: of the list, and of who sees the owner. */
  readonly list_told?: Position;
  readonly watch_told?: Position;
}

export const PRESENCE_LISTS = new Collection<readonly [owner: UserId, other: UserId], RelationRow>('presence-lists', {
  key: ['owner', 'other'],
  says: 'whether the other is on the list of the owner, in which groups, and whether they may see the owner; where that changed',
  codec: asJson(),
});

export const PRESENCE_LISTS_LOG = new Collection<readonly [owner: UserId, position: Position], UserId>(
  'presence-lists-log',
  { key: ['owner', 'position'], says: 'to whom they stand otherwise since there', codec: asText() },
);

export const PRESENCE_SUBSCRIBERS = new Collection<readonly [observed: UserId, observer: UserId], true>(
  'presence-subscribers',
  { key: ['observed', 'observer'], says: 'that the observer may follow the presence of the observed', codec: asMark },
);

/** What another server is to hear: who, of whom, and of which side of it; and which asking it was about, where it is known. */
export type ToldRelation = readonly [owner: UserId, other: UserId, side: 'list' | 'watch', ask?: number];

export const PRESENCE_LISTS_TOLD = new Collection<readonly [server: ServerName, position: Position], ToldRelation>(
  'presence-lists-told',
  {
    key: ['server of the other', 'position'],
    says: 'what was decided there that the other is to hear',
    codec: asJson(),
  },
);

/** Presence lists, as each user of this server has them. */
export const presenceListsProjector: Projector = {
  name: 'presence-lists',
  version: 6,
  ...owning(PRESENCE_LISTS, PRESENCE_LISTS_LOG, PRESENCE_SUBSCRIBERS, PRESENCE_LISTS_TOLD),
  handles: (type) => Object.hasOwn(SUBSCRIPTION_SHAPES, type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const read = readSubscriptionFact(fact);
  const [owner, other] = [userIdOfSubscriptions(fact.stream), read.data.user_id];
  const pos = fact.position;
  const before = await PRESENCE_LISTS.get(rows, [owner, other]);
  if (before !== undefined) {
    if (before.pos > pos) return; // applied before, and a newer one since
    PRESENCE_LISTS_LOG.delete(rows, [owner, before.pos]);
  }
  const side = toldSideOf(read);
  const server = serverNameOf(other);
  const told = { list: before?.list_told, watch: before?.watch_told };
  if (side !== undefined) {
    if (told[side] !== undefined) PRESENCE_LISTS_TOLD.delete(rows, [server, told[side]]);
    told[side] = pos;
    const ask = 'ask' in read.data ? read.data.ask : undefined;
    const relation: ToldRelation = ask === undefined ? [owner, other, side] : [owner, other, side, ask];
    PRESENCE_LISTS_TOLD.put(rows, [server, pos], relation);
  }
  const { listed, groups, watches, declined, list_ask, watch_ask, refused_ask } = relationAfter(before ?? {}, read);
  // One order of keys, whatever happened before: a rebuilt row must be the same text.
  const row = {
    listed,
    groups,
    watches,
    declined,
    list_ask,
    watch_ask,
    refused_ask,
    pos,
    list_told: told.list,
    watch_told: told.watch,
  };
  PRESENCE_LISTS.put(rows, [owner, other], row as RelationRow);
  PRESENCE_LISTS_LOG.put(rows, [owner, pos], other);
  noteSubscriber(owner, read, rows);
}

/** Who may follow whom, as the server of either says; each of them may end it. Who asks may not yet: that it was over before may be in the log no more. */
function noteSubscriber(owner: UserId, { type, data }: SubscriptionFact, rows: OwnRows): void {
  if (type === 'subscription-accepted') PRESENCE_SUBSCRIBERS.put(rows, [data.user_id, owner], true);
  if (type === 'watcher-accepted') PRESENCE_SUBSCRIBERS.put(rows, [owner, data.user_id], true);
  if (type === 'subscription-ended' || type === 'subscription-asked')
    PRESENCE_SUBSCRIBERS.delete(rows, [data.user_id, owner]);
  if (type === 'watcher-ended' || type === 'watcher-asked') PRESENCE_SUBSCRIBERS.delete(rows, [owner, data.user_id]);
}

/** What the other is to hear of it; undefined where they told it, or it is the owner's alone. That it is over they hear also where they refused. */
function toldSideOf({ type, data }: SubscriptionFact): 'list' | 'watch' | undefined {
  switch (type) {
    case 'subscription-asked':
    case 'subscription-ended':
      return 'list';
    case 'watcher-accepted':
      return 'watch';
    case 'watcher-ended':
      return data.by === 'owner' ? 'watch' : undefined;
    default:
      return undefined;
  }
}
