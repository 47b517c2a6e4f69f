import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';

/** Somebody who is known by an address alone, and the identity server that is asked who they are: client-server API, "Third-party invites". */
export interface AskedAddress {
  readonly medium: string;
  readonly address: string;
  readonly idServer: string;
  /** By which the identity server is asked; absent where this server is to get one for the user. */
  readonly idAccessToken?: string;
}

/** What whom a mail is for is told of the room, and of who invites them: as `POST /store-invite` of identity servers has it. */
export interface RoomToTell {
  readonly room_id: RoomId;
  readonly room_alias?: string;
  readonly room_avatar_url?: string;
  readonly room_join_rules?: string;
  readonly room_name?: string;
  readonly room_type?: string;
  readonly sender_display_name?: string;
  readonly sender_avatar_url?: string;
}

/** Whose an address is, or what the room is told until that is known: an `m.room.third_party_invite` under `token`. */
export type KnownAddress =
  | { readonly userId: UserId }
  | { readonly userId?: undefined; readonly token: string; readonly content: JsonObject };

/** What rooms need of who asks identity servers. `identity` implements it. */
export interface AddressInvitations {
  /** Throws M_INVALID_PARAM for what is no address, or names no server, and M_SERVER_NOT_TRUSTED for one that may not be asked. */
  check(asked: AskedAddress): void;
  /**
   * Looks whose an address is; where that is not known, has the identity server keep an invitation for them and write to them. Throws as `check`,
   * M_LIMIT_EXCEEDED, and PeerRefused and PeerUnavailable of the identity server.
   */
  offer(requester: Requester, asked: AskedAddress, room: RoomToTell): Promise<KnownAddress>;
  /** Whether a key with which an invitation was signed holds still, as who made it says. Throws PeerUnavailable where nobody answers, and M_SERVER_NOT_TRUSTED where that may not be asked. */
  isKeyValid(validityUrl: string, publicKey: string): Promise<boolean>;
}

/** Injection token of the AddressInvitations; where there is none, nobody is invited by an address. */
export const ADDRESS_INVITATIONS = Symbol.for('annals.AddressInvitations');
