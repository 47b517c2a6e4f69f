import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { findInviteKey, type InviteKey } from '#protocol/event-auth/third-party-invite';
import type { RoomTurn } from '../worker/room-turn.js';

/** A signature of an identity server that a user is the one who was invited by an identifier of another kind. */
export interface ThirdPartySigned {
  readonly token: string;
  /** All that was signed, with the signatures. */
  readonly signed: JsonObject;
}

/** Reads `third_party_signed` of a join; undefined where there is none. Throws M_BAD_JSON. */
export function thirdPartySignedOf({ third_party_signed: signed }: JsonObject): ThirdPartySigned | undefined {
  if (signed === undefined || signed === null) return undefined;
  if (!isJsonObject(signed)) throw new MatrixError('M_BAD_JSON', 'third_party_signed: must be an object');
  const { token } = signed;
  if (typeof token !== 'string') throw new MatrixError('M_BAD_JSON', 'third_party_signed.token: must be a string');
  return { token, signed };
}

/**
 * Makes of a pending m.room.third_party_invite an invitation of the user, in the name of who asked: client-server API,
 * "Third-party invites". The authorisation rules check the signature and for whom it is. Throws M_FORBIDDEN, also where who
 * asked is of another server, for which this one cannot speak.
 */
export async function redeemThirdPartyInvite(
  turn: RoomTurn,
  userId: UserId,
  signed: ThirdPartySigned,
  profile: JsonObject,
  serverName: ServerName,
): Promise<void> {
  const { sender, content } = await invitationOfOffer(turn, userId, signed, serverName);
  await turn.send({ type: 'm.room.member', stateKey: userId, sender, content: { ...profile, ...content } });
}

/** What a pending invitation becomes. */
export interface OfferedInvitation {
  readonly sender: UserId;
  readonly content: JsonObject;
  /** The key that it is signed with, of those that the room has for it; undefined where it is signed with none. */
  readonly key: InviteKey | undefined;
}

/**
 * The invitation that a pending one becomes for a user, and who sends it. NOTSPEC: who was put out of the room since comes in by it no more, though the rules
 * would have it: what was signed once is good for ever. Throws M_FORBIDDEN for them, and where nobody of this server asked.
 */
export async function invitationOfOffer(
  turn: RoomTurn,
  userId: UserId,
  { token, signed }: ThirdPartySigned,
  serverName: ServerName,
): Promise<OfferedInvitation> {
  const offer = await turn.findState('m.room.third_party_invite', token);
  if (offer === undefined || serverNameOf(offer.sender) !== serverName) {
    throw new MatrixError('M_FORBIDDEN', 'There is no such third-party invite of this server in the room');
  }
  const member = await turn.findState('m.room.member', userId);
  const isPutOut = member?.content['membership'] === 'leave' && member.sender !== userId;
  if (isPutOut && member.depth > offer.depth) {
    throw new MatrixError('M_FORBIDDEN', 'They were put out of the room since they were invited');
  }
  const { display_name: name, is_direct: isDirect } = offer.content;
  const told = { ...(typeof name === 'string' ? { display_name: name } : {}), signed };
  const direct = isDirect === true ? { is_direct: true } : {};
  const content = { membership: 'invite', third_party_invite: told, ...direct };
  return { sender: offer.sender, content, key: findInviteKey(signed, offer.content) };
}
