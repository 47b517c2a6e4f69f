import type { NewFact } from '#event-store/event-store';
import { ACCOUNT_LIMITS, limitReached } from '#kernel/account-limits';
import { serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { readSubscriptionFact, type SubscriptionFact } from '../facts/subscription-facts.js';
import { isAsking, type Relation, type Relations } from './relations.js';

/** So many may wait to be answered. */
const MOST_ASKING = 500;
/** So many of them of one server: those of the others have room beside them. */
const MOST_ASKING_OF_A_SERVER = 100;

/**
 * What a fact makes of a relation. That the owner declined is of who is on the list, and over where they come on it anew: so a stream that is kept short says it, too, of
 * which the last of each thing alone is left.
 */
export function relationAfter(before: Relation, { type, data }: SubscriptionFact): Relation {
  switch (type) {
    case 'subscription-asked':
      return { ...before, listed: 'asked', list_ask: data.ask, groups: undefined, declined: undefined };
    case 'subscription-accepted':
      return { ...before, listed: 'accepted' };
    case 'subscription-ended':
      return { ...before, listed: undefined, groups: undefined, list_ask: undefined, declined: undefined };
    case 'subscription-grouped':
      return { ...before, groups: data.groups.length === 0 ? undefined : data.groups };
    case 'watcher-asked':
      return { ...before, watches: 'asked', watch_ask: data.ask };
    case 'watcher-accepted':
      return { ...before, watches: 'accepted', watch_ask: data.ask, declined: undefined, refused_ask: undefined };
    case 'watcher-ended': {
      const declined = data.by === 'owner' && before.listed !== undefined ? true : before.declined;
      const refused = data.by === 'owner' ? data.ask : before.refused_ask;
      return { ...before, watches: undefined, watch_ask: undefined, declined, refused_ask: refused };
    }
    default:
      return before;
  }
}

/** The relations behind a fact of their stream. */
export function evolveRelations(relations: Relations, fact: Pick<NewFact, 'type' | 'data'>): Relations {
  const read = readSubscriptionFact(fact);
  const own = read.type === 'subscription-asked' || read.type === 'subscription-ended' ? read.data.ask : undefined;
  return relations.with(read.data.user_id, relationAfter(relations.get(read.data.user_id) ?? {}, read), own);
}

/**
 * The owner puts somebody on the list. The asking is greater than all before, though the clock was put back; and by the clock it is that, too, for others who
 * know of askings that are in this log no more. `now`: milliseconds since the epoch. Throws M_INVALID_PARAM where the list is full.
 */
export function ask(relations: Relations, userId: UserId, now: number): SubscriptionFact[] {
  if (relations.get(userId)?.listed !== undefined) return [];
  if (relations.listed >= ACCOUNT_LIMITS['presence-list'].most) throw limitReached('presence-list');
  return [{ type: 'subscription-asked', data: { user_id: userId, ask: nextAsk(relations, now) } }];
}

/** The owner takes somebody off the list. It has a number as an asking has: all of before are over by it, also those that are in this log no more. `now`: as of `ask`. */
export function drop(relations: Relations, userId: UserId, now: number): SubscriptionFact[] {
  if (relations.get(userId)?.listed === undefined) return [];
  return [{ type: 'subscription-ended', data: { user_id: userId, by: 'owner', ask: nextAsk(relations, now) } }];
}

function nextAsk({ lastAsk }: Relations, now: number): number {
  return Math.max(now, lastAsk + 1);
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
 * Somebody asks to see the owner. "HSes may wish to automatically accept requests when a reverse subscription already exists": not
 * of whom the owner has declined, who would let themself in again. Who asks again though they may is told so again.
 */
export function noteAsked(relations: Relations, userId: UserId, id?: number): SubscriptionFact[] {
  const relation = relations.get(userId) ?? {};
  const { watches, watch_ask: before, refused_ask: refused } = relation;
  if (id !== undefined && (id === refused || isEarlier(id, refused))) return []; // told again: they hear of the refusal
  if (isEarlier(id, before)) return [];
  if (watches === 'accepted' || isLetIn(relation)) return [watcherAccepted(userId, id)];
  if (watches === 'asked' && before === id) return [];
  return [{ type: 'watcher-asked', data: { user_id: userId, ask: id } }];
}

/** Whether an asking came before another of the same two, and is over; those of servers of another make have no order. */
function isEarlier(id: number | undefined, other: number | undefined): boolean {
  return id !== undefined && other !== undefined && id < other;
}

/** Somebody whom the owner ignores asks to see them: they wait in vain, and what they asked before is over as for anybody who asks anew. */
export function noteAskedInVain(relations: Relations, userId: UserId, id?: number): SubscriptionFact[] {
  return relations.get(userId)?.watch_ask === id ? [] : noteDropped(relations, userId, id);
}

/** Whether the owner follows somebody, and so lets them follow in turn. */
function isLetIn({ listed, declined }: Relation): boolean {
  return listed === 'accepted' && declined !== true;
}

/**
 * Whether so many wait for an answer that somebody who asks is told no, `isOurs`: a user of this server. Nothing is noted of that: whoever makes up
 * users could have as much written as they like.
 */
export function hasNoRoomFor(relations: Relations, userId: UserId, isOurs: boolean): boolean {
  const relation = relations.get(userId) ?? {};
  if (relation.watches !== undefined || isLetIn(relation)) return false;
  if (relations.asking >= MOST_ASKING) return true;
  if (isOurs || relations.asking < MOST_ASKING_OF_A_SERVER) return false;
  const server = serverNameOf(userId);
  let asking = 0;
  for (const [other, one] of relations) if (isAsking(one) && serverNameOf(other) === server) asking++;
  return asking >= MOST_ASKING_OF_A_SERVER;
}

/** Somebody on the list allows it: from now on there is a reverse subscription for what they may have asked themself. */
export function noteAccepted(relations: Relations, userId: UserId, id?: number): SubscriptionFact[] {
  const { listed, watches, declined, list_ask: own, watch_ask: theirs } = relations.get(userId) ?? {};
  if (listed !== 'asked' || (id !== undefined && id !== own)) return [];
  const accepted = { type: 'subscription-accepted', data: { user_id: userId } } as const;
  return watches === 'asked' && declined !== true ? [accepted, watcherAccepted(userId, theirs)] : [accepted];
}

/** Somebody on the list does not allow it, or no more. Their server hears that it is over here, too: where the asking is told once more, of a refusal that was noted nowhere, it ends with that. */
export function noteRefused(relations: Relations, userId: UserId, id?: number): SubscriptionFact[] {
  const { listed, list_ask: own } = relations.get(userId) ?? {};
  if (listed === undefined || (id !== undefined && id !== own)) return [];
  return [{ type: 'subscription-ended', data: { user_id: userId, by: 'other', ask: own } }];
}

/** Somebody does not want to see the owner any more; where they have asked anew since, that was said before, and comes again. Of those between their server may say nothing. */
export function noteDropped(relations: Relations, userId: UserId, id?: number): SubscriptionFact[] {
  const { watches, watch_ask: asked } = relations.get(userId) ?? {};
  if (watches === undefined || isEarlier(id, asked)) return [];
  return [watcherEnded(userId, 'other')];
}

/** The owner's account is closed: all of it is over, which the others are to hear. */
export function endAll(relations: Relations, now: number): SubscriptionFact[] {
  return [...relations].flatMap(([userId]) => [...drop(relations, userId, now), ...decline(relations, userId)]);
}

function watcherAccepted(userId: UserId, id: number | undefined): SubscriptionFact {
  return { type: 'watcher-accepted', data: { user_id: userId, ask: id } };
}

function watcherEnded(userId: UserId, by: 'owner' | 'other', id?: number): SubscriptionFact {
  return { type: 'watcher-ended', data: { user_id: userId, by, ask: id } };
}
