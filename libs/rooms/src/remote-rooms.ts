import type { EventId, RoomAlias, RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import type { RoomVersion } from '#protocol/room-versions/room-version';

/** A membership that a user here wants of a room, and that another server must let into it. */
export interface RemoteMembership {
  /** Whose membership it is. */
  readonly requester: Requester;
  readonly roomId: RoomId;
  /** Of the member event, `membership` among it. */
  readonly content: JsonObject;
  /** Servers that may know the room, those most likely to first. */
  readonly servers: readonly ServerName[];
  /** Told of each event before a server is given it: from then on it may have been taken, whatever else comes of it. */
  readonly beforeGiven?: (given: GivenMember) => Promise<void>;
  /** An event that was made before: its server is given it once more, and no other is asked. */
  readonly made?: GivenMember;
}

/** A user is in a room by the word of another server. */
export interface RemoteJoin {
  /** Up to where the facts are; undefined where they were here before. */
  readonly position: Position | undefined;
}

/** A member event that another server let into a room which is not here. */
export interface RemoteEvent {
  readonly eventId: EventId;
  readonly pdu: JsonObject;
  /** The server that let it in. */
  readonly server: ServerName;
}

/** A member event as a server is given it, in the version that the room has by its word. */
export interface GivenMember extends RemoteEvent {
  readonly version: RoomVersion;
}

/** A user's knock, and what another server told of the room. */
export interface RemoteKnock extends GivenMember {
  readonly roomState: readonly JsonValue[];
}

/** An invitation as the server of whom it is for is asked to sign it. */
export interface InviteToSign {
  readonly roomId: RoomId;
  readonly version: RoomVersion;
  readonly eventId: EventId;
  readonly pdu: JsonObject;
  /** The events of the room that the invited may know. */
  readonly roomState: readonly JsonObject[];
}

/** An invitation by address that is to become that of a user here, by what an identity server has signed for them. */
export interface InviteToExchange {
  readonly roomId: RoomId;
  /** Who invited them by it: of the server that is asked. */
  readonly sender: UserId;
  readonly userId: UserId;
  /** What stands for the address, where that is known. */
  readonly displayName?: string;
  readonly signed: JsonObject;
}

/**
 * What other servers must do for the memberships of users here; federation implements it. All but `invite` and `exchange` ask several servers in turn,
 * and throw what of their refusals is most telling: M_FORBIDDEN, M_NOT_FOUND, M_UNABLE_TO_AUTHORISE_JOIN …; where none says anything of the
 * kind, PeerRefused with what one said in words of its own; where none could be reached, M_UNKNOWN with status 502.
 */
export interface RemoteRooms {
  /**
   * The room that an alias of another server points to, and servers in it. `insists`: its server is asked also where it is left alone for
   * now, because a user of ours waits for it. Throws M_NOT_FOUND.
   */
  findAlias(
    alias: RoomAlias,
    insists: boolean,
  ): Promise<{ readonly roomId: RoomId; readonly servers: readonly ServerName[] }>;
  /**
   * Joins a room through a server that is in it, and brings it here where it is not; undefined where there is no other server to
   * ask.
   */
  join(wish: RemoteMembership): Promise<RemoteJoin | undefined>;
  /** Knocks at a room that is not here; undefined as `join`. */
  knock(wish: RemoteMembership): Promise<RemoteKnock | undefined>;
  /** Declines an invitation to a room that is not here, or takes a knock back; undefined as `join`. */
  leave(wish: RemoteMembership): Promise<RemoteEvent | undefined>;
  /** Asks the server of an invited user to take the invitation; answers the event as that signed it. */
  invite(server: ServerName, invite: InviteToSign): Promise<JsonObject>;
  /** Has the server of who invited a user here by their address invite that user: server-server API, "Third-party invites". */
  exchange(server: ServerName, invite: InviteToExchange): Promise<void>;
}

/** Injection token of the RemoteRooms; where there are none, no other server is spoken to. */
export const REMOTE_ROOMS = Symbol.for('annals.RemoteRooms');
