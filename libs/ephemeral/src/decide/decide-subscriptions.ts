import type { NewFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { readSubscriptionFact, type SubscriptionFact } from '../facts/subscription-facts.js';

/** How two users stand to each other, as one of them has it: each side is absent where nothing was asked, or it is over. */
export interface Relation {
  /** The other is on the list: asked for their permission, or with it. */
  readonly listed?: 'asked' | 'accepted';
  /** The groups the other is in, as long as they are on the list. */
  readonly groups?: readonly string[];
  /** The other asks to see the owner, or may. */
  readonly watches?: 'asked' | 'accepted';
  /** Which time it was that they asked: the owner, and the other. */
  readonly list_ask?: string;
  readonly watch_ask?: string;
}

/** A user's relations. */
export type Relations = ReadonlyMap<UserId, Relation>;

export const NO_RELATIONS: Relations = new Map();

/** So many stand on a list, and so many may wait to be answered. */
const MOST_LISTED = 1_000;
const MOST_ASKING = 500;

/** What a fact makes of a relation. */
export function relationAfter(before: Relation, { type, data }: SubscriptionFact): Relation {
  switch (type) {
    case 'subscription-asked':
      return { ...before, listed: 'asked', list_ask: data.ask };
    case 'subscription-accepted':
      return { ...before, listed: 'accepted' };
    case 'subscription-ended':
      return { ...before, listed: undefined, groups: undefined, list_ask: undefined };
    case 'subscription-grouped':
      return { ...before, groups: data.groups.length === 0 ? undefined : data.groups };
    case 'watcher-asked':
      return { ...before, watches: 'asked', watch_ask: data.ask };
    case 'watcher-accepted':
      return { ...before, watches: 'accepted', watch_ask: data.ask };
    case 'watcher-ended':
      return { ...before, watches: undefined, watch_ask: undefined };
    default:
      return before;
  }
}

/** The relations behind a fact of their stream. */
export function evolveRelations(relations: Relations, fact: Pick<NewFact, 'type' | 'data'>): Relations {
  const read = readSubscriptionFact(fact);
  const next = new Map(relations);
  const after = relationAfter(relations.get(read.data.user_id) ?? {}, read);
  if (isNone(after)) next.delete(read.data.user_id);
  else next.set(read.data.user_id, after);
  return next;
}

/** Whether nothing is left of a relation. */
export function isNone({ listed, watches }: Relation): boolean {
  return listed === undefined && watches === undefined;
}

/** The owner puts somebody on the list. `id`: of this asking, and of no other. Throws M_INVALID_PARAM where it is full. */
export function ask(relations: Relations, userId: UserId, id: string): SubscriptionFact[] {
  if (relations.get(userId)?.listed !== undefined) return [];
  if (count(relations, ({ listed }) => listed !== undefined) >= MOST_LISTED) {
    throw new MatrixError('M_INVALID_PARAM', `A presence list has room for ${MOST_LISTED}`);
  }
  return [{ type: 'subscription-asked', data: { user_id: userId, ask: id } }];
}

/** The owner takes somebody off the list. */
export function drop(relations: Relations, userId: UserId): SubscriptionFact[] {
  if (relations.get(userId)?.listed === undefined) return [];
  return [{ type: 'subscription-ended', data: { user_id: userId, by: 'owner' } }];
}

/** The owner puts somebody of the list into groups, and into no others. Throws M_NOT_FOUND for who is not on it. */
export function group(relations: Relations, userId: UserId, groups: readonly string[]): SubscriptionFact[] {
  const { listed, groups: before = [] } = relations.get(userId) ?? {};
  if (listed === undefined) throw new MatrixError('M_NOT_FOUND', `${userId} is not on your presence list`);
  const wanted = [...new Set(groups)].sort();
  if (before.join('\n') === wanted.join('\n')) return [];
  return [{ type: 'subscription-grouped', data: { user_id: userId, groups: wanted } }];
}

/** The owner lets somebody see them who asked to. Throws M_NOT_FOUND where they did not. */
export function accept(relations: Relations, userId: UserId): SubscriptionFact[] {
  const { watches, watch_ask: asked } = relations.get(userId) ?? {};
  if (watches === undefined) throw new MatrixError('M_NOT_FOUND', `${userId} did not ask to see your presence`);
  return watches === 'accepted' ? [] : [watcherAccepted(userId, asked)];
}

/** The owner does not let somebody see them, or no more. */
export function decline(relations: Relations, userId: UserId): SubscriptionFact[] {
  const { watches, watch_ask: asked } = relations.get(userId) ?? {};
  return watches === undefined ? [] : [watcherEnded(userId, 'owner', asked)];
}

/**
 * Somebody asks to see the owner. "HSes may wish to automatically accept requests when a reverse subscription already exists." Who asks again
 * though they may is told so again. With too many who wait for an answer it is no.
 */
export function noteAsked(relations: Relations, userId: UserId, id?: string): SubscriptionFact[] {
  const { listed, watches, watch_ask: before } = relations.get(userId) ?? {};
  if (watches === 'accepted' || listed === 'accepted') return [watcherAccepted(userId, id)];
  if (watches === 'asked' && before === id) return [];
  const isFull = watches === undefined && count(relations, (one) => one.watches === 'asked') >= MOST_ASKING;
  if (isFull) return [watcherEnded(userId, 'owner', id)];
  return [{ type: 'watcher-asked', data: { user_id: userId, ask: id } }];
}

/** Somebody on the list allows it: from now on there is a reverse subscription for what they may have asked themself. */
export function noteAccepted(relations: Relations, userId: UserId, id?: string): SubscriptionFact[] {
  const { listed, watches, list_ask: own, watch_ask: theirs } = relations.get(userId) ?? {};
  if (listed !== 'asked' || (id !== undefined && id !== own)) return [];
  const accepted = { type: 'subscription-accepted', data: { user_id: userId } } as const;
  return watches === 'asked' ? [accepted, watcherAccepted(userId, theirs)] : [accepted];
}

/** Somebody on the list does not allow it, or no more. */
export function noteRefused(relations: Relations, userId: UserId, id?: string): SubscriptionFact[] {
  const { listed, list_ask: own } = relations.get(userId) ?? {};
  if (listed === undefined || (id !== undefined && id !== own)) return [];
  return [{ type: 'subscription-ended', data: { user_id: userId, by: 'other' } }];
}

/** Somebody does not want to see the owner any more. */
export function noteDropped(relations: Relations, userId: UserId): SubscriptionFact[] {
  return relations.get(userId)?.watches === undefined ? [] : [watcherEnded(userId, 'other')];
}

/** The owner's account is closed: all of it is over, which the others are to hear. */
export function endAll(relations: Relations): SubscriptionFact[] {
  return [...relations.keys()].flatMap((userId) => [...drop(relations, userId), ...decline(relations, userId)]);
}

function watcherAccepted(userId: UserId, id: string | undefined): SubscriptionFact {
  return { type: 'watcher-accepted', data: { user_id: userId, ask: id } };
}

function watcherEnded(userId: UserId, by: 'owner' | 'other', id?: string): SubscriptionFact {
  return { type: 'watcher-ended', data: { user_id: userId, by, ask: id } };
}

function count(relations: Relations, isOne: (relation: Relation) => boolean): number {
  let found = 0;
  for (const one of relations.values()) if (isOne(one)) found++;
  return found;
}
