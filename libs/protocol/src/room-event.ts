import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/**
 * A PDU exactly as signed, parsed. Which keys it has depends on the room version: `event_id` in versions 1 and 2, no
 * `room_id` in the create event of version 12, `prev_events` and `auth_events` as pairs in versions 1 and 2.
 */
export type Pdu = JsonObject & { readonly __brand?: 'Pdu' };

/** What the rules need of a PDU, the same for every room version (parsed by `parseRoomEvent`). */
export interface RoomEvent {
  readonly eventId: EventId;
  readonly roomId: RoomId;
  readonly type: string;
  readonly sender: UserId;
  /** undefined for message events. */
  readonly stateKey: string | undefined;
  readonly content: JsonObject;
  readonly originServerTs: number;
  readonly depth: number;
  readonly prevEvents: readonly EventId[];
  readonly authEvents: readonly EventId[];
  /** The event a redaction is for, wherever this room version keeps it. */
  readonly redacts: EventId | undefined;
  readonly pdu: Pdu;
}

/** A key of the state dictionary. */
export interface StateKey {
  readonly type: string;
  readonly stateKey: string;
}
