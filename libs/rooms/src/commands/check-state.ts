import { serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { checkMemberKey, checkStateContent } from '#protocol/event-auth/check-state-content';
import { isStateDeletion } from '#protocol/state-deletion';
import type { RoomTurn } from '../worker/room-turn.js';

/** A state event that a user of this server wants to send. */
export interface StateDraft {
  readonly type: string;
  readonly stateKey: string;
  readonly sender: UserId;
  readonly content: JsonObject;
}

/** What is wrong with a state event whatever the room. Throws M_BAD_STATE, M_INVALID_PARAM. */
export function checkStateKey(type: string, stateKey: string | undefined): void {
  if (type === 'm.room.create') throw new MatrixError('M_BAD_STATE', 'A room begins once');
  if (type === 'm.room.member' && stateKey !== undefined) checkMemberKey(stateKey);
}

/**
 * Whether a user may send a state event, and whether the rules can read what it says. Who is in the room learns first what is
 * wrong with the content; everybody else is told nothing but that they may not. `wasOffered`: it is the invitation that the sender offered an
 * address while they were in the room. Throws M_FORBIDDEN, M_BAD_JSON, M_INVALID_PARAM.
 */
export async function checkState(turn: RoomTurn, draft: StateDraft, wasOffered = false): Promise<void> {
  const { roomId, head } = turn;
  const { version, createEvent } = head;
  const levels = draft.type === 'm.room.power_levels' ? (await turn.findState(draft.type))?.content : undefined;
  const check = (): void => checkStateContent(draft, { roomId, version, createEvent, levels });
  const isInside = (await turn.findMembership(draft.sender)) === 'join';
  if (isInside) check();
  await turn.authorise(draft);
  if (!isInside) check();
  if (draft.type !== 'm.room.member' || draft.content['membership'] !== 'invite') return;
  if (!wasOffered) await checkIsIn(turn, draft.sender);
  await checkInvited(turn, draft);
}

/**
 * Of a third-party invite the rules of authorisation ask neither whether its sender is in the room nor whether the invited is: by one whoever
 * may invite could put out anybody. And they let everybody be invited to a room that only users of one server can be in. From other servers
 * both are taken, for all go by these rules; users of this one send neither. Throws M_FORBIDDEN.
 */
async function checkInvited(turn: RoomTurn, { stateKey }: StateDraft): Promise<void> {
  const isIn = (await turn.findMembership(stateKey as UserId)) === 'join';
  if (isIn) throw new MatrixError('M_FORBIDDEN', 'The user is already in the room');
  const { content, sender: creator } = turn.head.createEvent;
  if (content['m.federate'] === false && serverNameOf(stateKey as UserId) !== serverNameOf(creator)) {
    throw new MatrixError('M_FORBIDDEN', 'This room is not open to other servers');
  }
}

/**
 * M_NOT_FOUND where a deletion finds nothing to delete. Servers may send such events, which change nothing; ours are told instead,
 * for it may be a slip of the pen.
 */
export function checkDeletesSomething({ head }: RoomTurn, draft: StateDraft): void {
  if (!isStateDeletion(draft, head.version) || head.state.get(draft.type, draft.stateKey) !== undefined) return;
  throw new MatrixError('M_NOT_FOUND', 'The room has no such state');
}

/** M_FORBIDDEN where a user who is to be removed is not there (any more). */
export function checkIsThere(membership: unknown): void {
  if (membership === undefined || membership === 'leave') {
    throw new MatrixError('M_FORBIDDEN', 'The user is not in the room');
  }
}

/** Who is in a room is told those alone who are: who was there once may not ask about the others by trying to remove them. */
export async function checkIsIn(turn: RoomTurn, userId: UserId): Promise<void> {
  if ((await turn.findMembership(userId)) !== 'join') throw new MatrixError('M_FORBIDDEN', 'You are not in this room');
}
