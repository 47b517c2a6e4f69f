import type { EventId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';

/** What a user is in a room, by the event that says it. */
export interface MemberRow {
  readonly membership: string;
  readonly event_id: EventId;
  readonly pos: Position;
  readonly sender: UserId;
  readonly displayname?: string;
  readonly avatar_url?: string;
  readonly reason?: string;
}

/** That of a member event. */
export function memberRow(position: Position, eventId: EventId, pdu: JsonObject, content: JsonObject): MemberRow {
  return {
    membership: String(content['membership']),
    event_id: eventId,
    pos: position,
    sender: pdu['sender'] as UserId,
    displayname: textOf(content['displayname']),
    avatar_url: textOf(content['avatar_url']),
    reason: textOf(content['reason']),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
