import { MatrixError } from '#kernel/matrix-error';
import type { RoomHead } from '../decide/room-head.js';

/**
 * One answer for a room that this server does not have and for one that keeps a stranger out: which of the two it is, is
 * nobody's business who is not in it.
 */
export function unknownRoom(): MatrixError {
  return new UnknownRoom();
}

/** What `unknownRoom` makes, for who words it in another way. */
export class UnknownRoom extends MatrixError {
  constructor() {
    super('M_FORBIDDEN', 'You are not in this room and may not enter it, or there is no such room');
  }
}

/** What `actor` is told of a refusal: its reason, unless the room never heard of them. */
export function refusalFor(actor: string, { revision, state }: RoomHead, refusal: unknown): unknown {
  const isHidden = revision >= 0 && refusal instanceof MatrixError && refusal.errcode === 'M_FORBIDDEN';
  return isHidden && state.get('m.room.member', actor) === undefined ? unknownRoom() : refusal;
}
