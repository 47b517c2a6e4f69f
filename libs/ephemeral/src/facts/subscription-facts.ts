import { randomUUID } from 'node:crypto';
import { erasableText } from '#event-store/erasable-text';
import type { NewFact, RecordedFact } from '#event-store/event-store';
import { type FactBody, type FactShapes, newestSchema } from '#event-store/fact-shapes';
import type { FactDraft } from '#event-store/seal-facts';
import type { UserId } from '#kernel/ids';

/**
 * Whose presence a user follows, and who follows theirs (2014/15, "Presence List"): `subscriptions-{user_id}`, for users of this server. Of
 * what is said of each of them the last fact counts, and those before go from the log.
 */
export const SUBSCRIPTIONS_STREAM_PREFIX = 'subscriptions-';
export const subscriptionsStream = (userId: UserId): string => `${SUBSCRIPTIONS_STREAM_PREFIX}${userId}`;

/** Whose subscriptions a stream has. */
export const userIdOfSubscriptions = (stream: string): UserId =>
  stream.slice(SUBSCRIPTIONS_STREAM_PREFIX.length) as UserId;

/** Somebody else, as they stand to the owner of the stream. */
export interface OtherUser {
  readonly user_id: UserId;
}

/**
 * That one asks the other, and what comes of it. `ask`: which time that was. Of the same two a later one is greater: who is told of an earlier one once more,
 * after a crash, knows that it is over; and who asks, drops it and asks again while the answer is on its way knows that this is not the answer to what they ask now.
 * Absent where a server of another make asked, or answered.
 */
export interface Asking extends OtherUser {
  readonly ask?: number;
}

/** `by`: whose doing it was, the owner's of the stream, or the other's. `ask` of a `subscription-ended` by the owner: a number of its own, greater than that of what it takes back. */
export interface RelationEnded extends Asking {
  readonly by: 'owner' | 'other';
}

/** `subscription-grouped`: the groups that somebody on the list is in from now on. */
export interface SubscriptionGrouped extends OtherUser {
  readonly groups: readonly string[];
}

/**
 * `subscription-…`: of whom the owner has on the list: asked to be seen, it was allowed, it is over. `watcher-…`: of who asks to see the owner,
 * may, or may not any more.
 */
export type SubscriptionFact =
  | { readonly type: 'subscription-asked'; readonly data: Asking }
  | { readonly type: 'subscription-accepted'; readonly data: OtherUser }
  | { readonly type: 'watcher-asked' | 'watcher-accepted'; readonly data: Asking }
  | { readonly type: 'subscription-ended' | 'watcher-ended'; readonly data: RelationEnded }
  | { readonly type: 'subscription-grouped'; readonly data: SubscriptionGrouped };

/** What takes the place of what somebody called the groups, once their account is closed. */
export const NO_GROUPS = '"groups":[]}';

/** A fact as it is handed to the log. */
export function draftSubscription({ type, data }: SubscriptionFact): FactDraft {
  const schema = newestSchema(type, SUBSCRIPTION_SHAPES);
  return { id: randomUUID(), type, schema, ...erasableText({ ...data }, 'groups') };
}

/** To the second schema: an asking is a number. Before it was a random name, which has no order, as those of servers of another make have none. */
function numbered({ data }: FactBody): FactBody {
  const { ask, ...rest } = JSON.parse(data) as { readonly ask?: unknown };
  return { data: JSON.stringify(typeof ask === 'number' ? { ...rest, ask } : rest) };
}

/** How old shapes of these facts become today's. */
export const SUBSCRIPTION_SHAPES = {
  'subscription-asked': [numbered],
  'subscription-accepted': [],
  'subscription-ended': [numbered],
  'subscription-grouped': [],
  'watcher-asked': [numbered],
  'watcher-accepted': [numbered],
  'watcher-ended': [numbered],
} as const satisfies FactShapes;

/** A fact of such a stream, read. */
export function readSubscriptionFact({ type, data }: Pick<NewFact, 'type' | 'data'>): SubscriptionFact {
  return { type, data: JSON.parse(data) as unknown } as SubscriptionFact; // what this library appended under these types has these shapes
}

/** What a fact says of two users. */
type Said = 'list' | 'accepted' | 'groups' | 'watch' | 'let-in' | 'declined';

function saidBy({ type, data }: SubscriptionFact): Said {
  switch (type) {
    case 'subscription-accepted':
      return 'accepted';
    case 'subscription-grouped':
      return 'groups';
    case 'subscription-asked':
    case 'subscription-ended':
      return 'list';
    case 'watcher-accepted':
      return 'let-in';
    case 'watcher-ended':
      return data.by === 'owner' ? 'declined' : 'watch';
    default:
      return 'watch';
  }
}

/** Of the facts with the same key the last counts: of each thing that is said of somebody else. Both users cause them as often as they like. */
export function keyOfSubscriptionFact(fact: Pick<NewFact, 'type' | 'data'>): string {
  const read = readSubscriptionFact(fact);
  return `${saidBy(read)} ${read.data.user_id}`;
}

/** Of the facts that count by their keys: which do not, since something else was said of the same user. */
export function* findOverSubscriptions(counting: ReadonlyMap<string, RecordedFact>): Generator<string, void> {
  for (const [key, fact] of counting) {
    const read = readSubscriptionFact(fact);
    const isBefore = (said: Said): boolean => {
      const other = counting.get(`${said} ${read.data.user_id}`);
      return other !== undefined && fact.revision < other.revision;
    };
    if (isOver(read, isBefore)) yield key;
  }
}

function isOver(fact: SubscriptionFact, isBefore: (said: Said) => boolean): boolean {
  switch (saidBy(fact)) {
    case 'accepted':
    case 'groups':
      return isBefore('list');
    case 'watch':
      return isBefore('declined') || isBefore('let-in');
    case 'let-in':
      return isBefore('declined');
    case 'declined':
      return isBefore('let-in');
    default:
      return false;
  }
}
