import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { ReceiptSet } from '#ephemeral/facts/receipt-facts';
import {
  isOfThePast,
  type PduAccepted,
  type PduRedacted,
  type RoomForgotten,
  ROOM_STREAM_PREFIX,
  roomIdOfStream,
  type StateChange,
} from '#rooms/facts/room-facts';
import { createRoomFactReader, currentStateOf } from '#rooms/projections/room-fact-reader';

/** A change of one user's membership, as the notifier keeps it. */
export interface MembershipTouch {
  readonly userId: UserId;
  readonly membership: string;
}

/** The memberships a fact changed, of those users that concern the caller. */
export type MembersOf = (concerns: (userId: UserId) => boolean) => readonly MembershipTouch[];

/** Whom and what a fact concerns. */
export type Touch =
  | { readonly kind: 'room'; readonly roomId: RoomId; members: MembersOf }
  | { readonly kind: 'redaction'; readonly roomId: RoomId; readonly eventId: EventId }
  | { readonly kind: 'receipt'; readonly userId: UserId; readonly roomId: RoomId; readonly isPrivate: boolean }
  | { readonly kind: 'forgotten'; readonly userId: UserId; readonly roomId: RoomId }
  | { readonly kind: 'user'; readonly userId: UserId };

const PDU_MARK = ',"pdu":{';
const MEMBER = '"type":"m.room.member"';
const USER_STREAM = 'user-';
const DEVICE_STREAM = 'device-';

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
      return { kind: 'redaction', roomId: roomIdOfStream(stream), eventId };
    }
    if (type !== 'pdu-accepted' || isOfThePast(fact.data)) return undefined;
    return { kind: 'room', roomId: roomIdOfStream(stream), members: (concerns) => membersOf(fact, concerns) };
  }
  if (stream.startsWith(USER_STREAM)) return touchOfUser(fact, stream.slice(USER_STREAM.length) as UserId);
  if (stream.startsWith(DEVICE_STREAM)) {
    const [userId] = stream.slice(DEVICE_STREAM.length).split('|');
    return { kind: 'user', userId: userId as UserId };
  }
  return undefined;
}

function touchOfUser(fact: RecordedFact, userId: UserId): Touch {
  if (fact.type === 'receipt-set') {
    const { room_id: roomId, receipt_type: type } = JSON.parse(fact.data) as ReceiptSet;
    return { kind: 'receipt', userId, roomId, isPrivate: type === 'm.read.private' };
  }
  if (fact.type === 'room-forgotten') {
    return { kind: 'forgotten', userId, roomId: (JSON.parse(fact.data) as RoomForgotten).room_id };
  }
  return { kind: 'user', userId };
}

function membersOf(fact: RecordedFact, concerns: (userId: UserId) => boolean): readonly MembershipTouch[] {
  const end = fact.data.indexOf(PDU_MARK);
  const header = fact.data.slice(0, end);
  if (!header.includes(MEMBER)) return NO_MEMBERS;
  const { state } = JSON.parse(`${header}}`) as Omit<PduAccepted, 'pdu'>;
  const isOne = ({ type, state_key: target }: StateChange): boolean =>
    type === 'm.room.member' && concerns(target as UserId);
  if (!state.some(isOne)) return NO_MEMBERS;
  return currentStateOf(createRoomFactReader().accepted(fact))
    .filter(({ change }) => isOne(change))
    .map(({ change, content }) => ({
      userId: change.state_key as UserId,
      membership: String(content['membership']),
    }));
}
