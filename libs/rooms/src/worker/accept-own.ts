import type { ServerName } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import { judgeOwn } from '../receive/judge-own.js';
import type { RoomTurn } from './room-turn.js';
import { headAfterAccepted } from './states-of-extremities.js';

/**
 * Accepts an event of ours that was decided before and has left this server since, so that it may not change any more: where the room
 * has gone on, it stands on the past. Throws M_FORBIDDEN where the room does not allow it any more.
 */
export async function acceptOwn(
  turn: RoomTurn,
  { event, pduText }: { readonly event: RoomEvent; readonly pduText: string },
  origin: ServerName,
): Promise<void> {
  const judged = await judgeOwn({ event, pduText, origin, txn: undefined }, turn.known);
  const { header, redactions } = judged;
  turn.accept({ event: judged.event, header, pduText, redactions, head: headAfterAccepted(turn.head, judged) });
}
