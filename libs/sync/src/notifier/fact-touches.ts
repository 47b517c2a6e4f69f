import { DEVICE_STREAM_PREFIX, deviceOfDeviceStream } from '#devices/facts/device-key-facts';
import { type KeyChange, keyChangeOf } from '#devices/facts/key-changes';
import { REMOTE_DEVICES_PREFIX, userIdOfRemoteDevices } from '#devices/facts/remote-device-facts';
import type { RecordedFact } from '#event-store/event-store';
import { RECEIVED_STREAM_PREFIX, SENT_STREAM_PREFIX, usersIn } from '#devices/facts/to-device-facts';
import { isSaidAgain } from '#event-store/shorten-stream';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { MARKS_STREAM_PREFIX, USER_STREAM_PREFIX, userIdOfStream } from '#kernel/user-stream';
import type { ReceiptSet } from '#ephemeral/facts/receipt-facts';
import { SUBSCRIPTIONS_STREAM_PREFIX, userIdOfSubscriptions } from '#ephemeral/facts/subscription-facts';
import {
  currentChangeOf,
  type PduAccepted,
  type PduRedacted,
  type RoomForgotten,
  ROOM_STREAM_PREFIX,
  roomIdOfStream,
  type StateChange,
} from '#rooms/facts/room-facts';
import { mayChangePolicy } from '#rooms/facts/retention-facts';
import { headerTextOf, isOfThePast, moderates } from '#rooms/facts/fact-text';
import { HELD_STREAM_PREFIX, userIdOfHeld } from '#rooms/facts/held-invitation-facts';
import { ELSEWHERE_STREAM_PREFIX, type MembershipTold, userIdOfElsewhere } from '#rooms/facts/elsewhere-facts';
import { THREADS_STREAM_PREFIX, userIdOfThreads } from '#rooms/facts/thread-subscription-facts';
import { createRoomFactReader, currentMembersOf, mayBeSticky } from '#rooms/projections/room-fact-reader';

/** A change of one user's membership, as the notifier keeps it. */
export interface MembershipTouch {
  readonly userId: UserId;
  readonly membership: string;
  readonly sender: UserId;
}

/** The memberships a fact changed, of those users that concern the caller. */
export type MembersOf = (concerns: (userId: UserId) => boolean) => readonly MembershipTouch[];

/** Whom and what a fact concerns, and of what is not about a room as a whole whose requests it wakes. */
export type Touch =
  | {
      readonly kind: 'room';
      readonly roomId: RoomId;
      readonly hasMembers: boolean;
      /** It hides events or shows them again, or says how long they are kept: what was counted before is to be counted anew. */
      readonly moderates: boolean;
      readonly changesLevels: boolean;
      /** `nobody`: more comes at once, or is waited for, with which the room is news. */
      readonly hears: 'room' | 'nobody';
      members: MembersOf;
    }
  | { readonly kind: 'redaction'; readonly roomId: RoomId; readonly eventId: EventId; readonly moderates: boolean }
  | {
      readonly kind: 'receipt';
      readonly userId: UserId;
      readonly roomId: RoomId;
      readonly hears: 'room' | 'user' | 'nobody';
    }
  | { readonly kind: 'elsewhere'; readonly roomId: RoomId; readonly member: MembershipTouch }
  | { readonly kind: 'messages'; readonly userIds: ReadonlySet<UserId> }
  | { readonly kind: 'forgotten'; readonly userId: UserId; readonly roomId: RoomId; readonly hears: 'nobody' }
  | {
      readonly kind: 'user';
      readonly userId: UserId;
      readonly hears: 'user' | 'nobody';
      readonly keys?: KeyChange;
    };

const MEMBER = '"type":"m.room.member"';
const LEVELS = '"type":"m.room.power_levels"';

const NO_MEMBERS: readonly MembershipTouch[] = Object.freeze([]);

/**
 * Whom a fact concerns; undefined where nobody's sync changes by it. PERF: of a fact of a room only the header is looked at,
 * as text; the PDU is parsed only where it changes the membership of somebody who concerns the caller.
 */
export function touchOf(fact: RecordedFact): Touch | undefined {
  const { stream, type } = fact;
  if (stream.startsWith(ROOM_STREAM_PREFIX)) {
    if (type === 'pdu-redacted') {
      const { event_id: eventId } = JSON.parse(fact.data) as PduRedacted;
      return { kind: 'redaction', roomId: roomIdOfStream(stream), eventId, moderates: mayChangePolicy(fact.data) };
    }
    if (type === 'join-filled') return { ...newsOf(stream), hasMembers: true };
    if (type === 'soft-failure-lifted') return { ...newsOf(stream), hasMembers: false };
    if (type !== 'pdu-accepted' && type !== 'state-taken') return undefined;
    // No timeline shows it, but what is sticky is news all the same.
    if (isOfThePast(fact.data)) return mayBeSticky(fact) ? { ...newsOf(stream), hasMembers: false } : undefined;
    const header = headerTextOf(fact.data);
    const hasMembers = header.includes(MEMBER);
    const members: MembersOf = (concerns) => (hasMembers ? membersOf(fact, header, concerns) : NO_MEMBERS);
    // PERF: of a room of 80,000 there are as many of these; the join event, or `join-filled`, comes behind the last.
    const hears = type === 'state-taken' ? 'nobody' : 'room';
    return {
      kind: 'room',
      roomId: roomIdOfStream(stream),
      hasMembers,
      moderates: moderates(fact.data) || mayChangePolicy(header),
      changesLevels: header.includes(LEVELS),
      hears,
      members,
    };
  }
  if (stream.startsWith(USER_STREAM_PREFIX)) return touchOfUser(fact, userIdOfStream(stream));
  if (stream.startsWith(MARKS_STREAM_PREFIX)) {
    const touch = touchOfUser(fact, userIdOfStream(stream));
    // Where it stands has changed, but nothing that anybody has not heard.
    return isSaidAgain(fact) ? { ...touch, hears: 'nobody' } : touch;
  }
  if (stream.startsWith(THREADS_STREAM_PREFIX)) return { kind: 'user', userId: userIdOfThreads(stream), hears: 'user' };
  if (stream.startsWith(SUBSCRIPTIONS_STREAM_PREFIX)) {
    return { kind: 'user', userId: userIdOfSubscriptions(stream), hears: 'user' };
  }
  if (stream.startsWith(HELD_STREAM_PREFIX)) return { kind: 'user', userId: userIdOfHeld(stream), hears: 'user' };
  if (stream.startsWith(ELSEWHERE_STREAM_PREFIX)) return touchOfElsewhere(fact);
  if (stream.startsWith(SENT_STREAM_PREFIX) || stream.startsWith(RECEIVED_STREAM_PREFIX)) {
    return { kind: 'messages', userIds: usersIn(fact) };
  }
  if (stream.startsWith(REMOTE_DEVICES_PREFIX)) {
    return { kind: 'user', userId: userIdOfRemoteDevices(stream), hears: 'nobody', keys: keyChangeOf(fact) };
  }
  if (stream.startsWith(DEVICE_STREAM_PREFIX)) {
    const [userId] = deviceOfDeviceStream(stream);
    return { kind: 'user', userId, hears: 'user', keys: keyChangeOf(fact) };
  }
  return undefined;
}

/** A room in which something is news that changes no membership. */
function newsOf(stream: string): Omit<Extract<Touch, { kind: 'room' }>, 'hasMembers'> {
  const roomId = roomIdOfStream(stream);
  return { kind: 'room', roomId, moderates: false, changesLevels: false, hears: 'room', members: () => NO_MEMBERS };
}

function touchOfUser(fact: RecordedFact, userId: UserId): Extract<Touch, { userId: UserId }> {
  if (fact.type === 'receipt-set') {
    const { room_id: roomId, receipt_type: type } = JSON.parse(fact.data) as ReceiptSet;
    return { kind: 'receipt', userId, roomId, hears: type === 'm.read.private' ? 'user' : 'room' };
  }
  if (fact.type === 'room-forgotten') {
    return { kind: 'forgotten', hears: 'nobody', userId, roomId: (JSON.parse(fact.data) as RoomForgotten).room_id };
  }
  return { kind: 'user', userId, hears: 'user', keys: keyChangeOf(fact) };
}

function touchOfElsewhere({ stream, type, data }: RecordedFact): Touch | undefined {
  if (type !== 'membership-told') return undefined;
  const { room_id: roomId, membership, pdu } = JSON.parse(data) as MembershipTold;
  const member = { userId: userIdOfElsewhere(stream), membership, sender: pdu['sender'] as UserId };
  return { kind: 'elsewhere', roomId, member };
}

function membersOf(
  fact: RecordedFact,
  header: string,
  concerns: (userId: UserId) => boolean,
): readonly MembershipTouch[] {
  const changed = currentChangeOf(JSON.parse(header) as Omit<PduAccepted, 'pdu'>);
  const isOne = ({ type, state_key: target }: StateChange): boolean =>
    type === 'm.room.member' && concerns(target as UserId);
  if (changed?.state.some(isOne) !== true) return NO_MEMBERS;
  return currentMembersOf(createRoomFactReader().accepted(fact))
    .filter(({ change }) => isOne(change))
    .map(({ change, content, pdu }) => ({
      userId: change.state_key as UserId,
      membership: String(content['membership']),
      sender: pdu['sender'] as UserId,
    }));
}
