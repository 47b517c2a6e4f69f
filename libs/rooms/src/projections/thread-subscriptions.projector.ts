import type { RecordedFact } from '#event-store/event-store';
import { type Answer, forEachInOrder } from '#kernel/answer';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { shortHash } from '#kernel/short-hash';
import { userIdOfStream } from '#kernel/user-stream';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { nextStamp, type ThreadStanding } from '../decide/decide-thread-subscription.js';
import type { RoomForgotten } from '../facts/room-facts.js';
import { type ThreadSubscriptionFact, userIdOfThreads } from '../facts/thread-subscription-facts.js';
import { type CurrentStateEvent, currentMembersOf, type RoomFactReader } from './room-fact-reader.js';
import { purgeOf } from './purged-rows.js';

/** How a user stands to a thread, and where that changed for them last. */
export interface ThreadSubscriptionRow extends ThreadStanding {
  /** Of one that ended: the room's last event by then. */
  readonly after?: EventId;
  readonly pos: Position;
  /** The user is not in the room: it is shown to nobody, until they come back. */
  readonly isHidden?: true;
}

export type ThreadKey = readonly [userId: UserId, roomId: RoomId, root: EventId];

export const THREAD_SUBSCRIPTIONS = new Collection<ThreadKey, ThreadSubscriptionRow>('thread-subscriptions', {
  key: ['user', 'room', 'root'],
  says: 'how they stand to a thread that they were subscribed to, where that changed last',
  // One order of keys, whatever happened before: a rebuilt row must be the same text.
  codec: {
    encode: ({ subscribed, stamp, after, pos, isHidden }) =>
      JSON.stringify({ subscribed, stamp, after, pos, isHidden }),
    decode: asJson<ThreadSubscriptionRow>().decode,
  },
});

/** A place in the log: where a user comes back into a room, several rows stand at one position. */
export type ThreadLogKey = readonly [userId: UserId, position: Position, thread: string];

export const THREAD_SUBSCRIPTIONS_LOG = new Collection<ThreadLogKey, readonly [roomId: RoomId, root: EventId]>(
  'thread-subscriptions-log',
  {
    key: ['user', 'position', 'hash of room and root'],
    says: 'a thread to which they stand otherwise since there, or see again since there how they do',
    codec: asJson(),
  },
);

/**
 * Which threads users want to hear of: MSC4306. Each has exactly one row in the log, at its last change, so a scan behind a token finds
 * what is new and nothing twice; none while its user is not in the room, and who comes back is told of those of the room anew. Who forgets a
 * room is subscribed to none of it any more, which their clients hear once they come back.
 */
export function threadSubscriptionsProjector(reader: RoomFactReader): Projector {
  return {
    name: 'thread-subscriptions',
    version: 3,
    ...owning(THREAD_SUBSCRIPTIONS, THREAD_SUBSCRIPTIONS_LOG),
    handles: (type) =>
      type === 'pdu-accepted' || type === 'state-taken' || type === 'room-purged' || OWN_TYPES.has(type),
    project(fact, rows) {
      if (fact.type === 'room-purged') return purge(fact, rows);
      if (!OWN_TYPES.has(fact.type)) return noteMoves(reader, fact, rows);
      if (fact.type === 'room-forgotten') return forget(fact, rows);
      return fact.type === 'thread-subscriptions-ended' ? end(fact, rows) : note(fact, rows);
    },
  };
}

const OWN_TYPES: ReadonlySet<string> = new Set([
  'thread-subscribed',
  'thread-unsubscribed',
  'thread-subscriptions-ended',
  'room-forgotten',
]);

async function note(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as ThreadSubscriptionFact;
  const key = [userIdOfThreads(fact.stream), data.room_id, data.root] as const;
  const before = await THREAD_SUBSCRIPTIONS.get(rows, key);
  if (before !== undefined && before.pos > fact.position) return; // applied before, and a newer one since
  const standing: ThreadStanding & Pick<ThreadSubscriptionRow, 'after'> =
    type === 'thread-subscribed'
      ? { subscribed: data.cause === undefined ? 'manual' : 'automatic', stamp: data.stamp }
      : { subscribed: 'no', stamp: data.stamp, after: data.after };
  put(rows, key, before, { ...standing, pos: fact.position });
}

function noteMoves(reader: RoomFactReader, fact: RecordedFact, rows: OwnRows): void | Promise<void> {
  const accepted = reader.findStateChange(fact);
  const members = accepted === undefined ? [] : currentMembersOf(accepted);
  return members.length === 0 ? undefined : moveAll(accepted!.roomId, members, fact.position, rows);
}

/** Hides the threads of those who are not in the room any more, and shows those of who came back. */
function moveAll(roomId: RoomId, members: readonly CurrentStateEvent[], pos: Position, rows: OwnRows): Answer<void> {
  return forEachInOrder(members, ({ change, content }) => {
    const userId = change.state_key as UserId; // as far as there are rows of theirs
    const isHidden = content['membership'] === 'join' ? undefined : true;
    return THREAD_SUBSCRIPTIONS.forEach(rows, { prefix: [userId, roomId] }, ({ key, value }) => {
      // Applied before, and maybe a newer one since.
      if (value.pos < pos && value.isHidden !== isHidden) put(rows, key, value, { ...value, pos, isHidden });
    });
  });
}

async function forget(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { room_id: roomId } = JSON.parse(fact.data) as RoomForgotten;
  for await (const page of THREAD_SUBSCRIPTIONS.pages(rows, { prefix: [userIdOfStream(fact.stream), roomId] })) {
    for (const { key, value } of page) {
      // Who is back in the room since has forgotten nothing.
      if (value.isHidden !== true || value.pos >= fact.position || value.subscribed === 'no') continue;
      const stamp = nextStamp(value, fact.metadata.at);
      put(rows, key, value, { subscribed: 'no', stamp, pos: fact.position, isHidden: true });
    }
  }
}

/** There are no such threads any more. */
async function purge(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, users } = purgeOf(fact);
  for (const userId of users) {
    await THREAD_SUBSCRIPTIONS.forEach(rows, { prefix: [userId, roomId] }, ({ key, value }) => {
      THREAD_SUBSCRIPTIONS.delete(rows, key);
      THREAD_SUBSCRIPTIONS_LOG.delete(rows, logKeyOf(key, value.pos));
    });
  }
}

async function end(fact: RecordedFact, rows: OwnRows): Promise<void> {
  for await (const page of THREAD_SUBSCRIPTIONS.pages(rows, { prefix: [userIdOfThreads(fact.stream)] })) {
    for (const { key, value } of page) {
      if (value.pos > fact.position) continue;
      THREAD_SUBSCRIPTIONS.delete(rows, key);
      THREAD_SUBSCRIPTIONS_LOG.delete(rows, logKeyOf(key, value.pos));
    }
  }
}

function put(
  rows: OwnRows,
  key: ThreadKey,
  before: ThreadSubscriptionRow | undefined,
  now: ThreadSubscriptionRow,
): void {
  if (before !== undefined) THREAD_SUBSCRIPTIONS_LOG.delete(rows, logKeyOf(key, before.pos));
  THREAD_SUBSCRIPTIONS.put(rows, key, now);
  const [, roomId, root] = key;
  if (now.isHidden !== true) THREAD_SUBSCRIPTIONS_LOG.put(rows, logKeyOf(key, now.pos), [roomId, root]);
}

function logKeyOf([userId, roomId, root]: ThreadKey, pos: Position): ThreadLogKey {
  return [userId, pos, shortHash(JSON.stringify([roomId, root]))];
}
