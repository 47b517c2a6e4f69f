import type { ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { RoomEvent } from '#protocol/room-event';
import type { PduAccepted } from '../facts/room-facts.js';
import { judgePdu } from './judge-pdu.js';
import type { KnownRoom } from './known-room.js';
import type { Accepted } from './outcome.js';

/** An event of ours, signed, and what it was sent with. */
export interface OwnPdu {
  readonly event: RoomEvent;
  readonly pduText: string;
  readonly origin: ServerName;
  readonly txn: PduAccepted['txn'] | undefined;
}

/**
 * Judges an event of ours that does not stand on all extremities of its room as if it came from elsewhere; the policy was asked before.
 * Throws M_FORBIDDEN where the state before it or the current one does not allow it.
 */
export async function judgeOwn({ event, pduText, origin, txn }: OwnPdu, room: KnownRoom): Promise<Accepted> {
  const outcome = await judgePdu({ kind: 'prepared', event, pduText, origin, verdict: { isAllowed: true } }, room);
  if (outcome.kind === 'soft-failed') throw new MatrixError('M_FORBIDDEN', outcome.header.reason);
  if (outcome.kind === 'rejected') throw new MatrixError('M_FORBIDDEN', outcome.header.reason);
  if (outcome.kind !== 'accepted') throw new Error(`${room.roomId}: an event of ours is ${outcome.kind}`);
  const { origin: _, ...header } = outcome.header;
  return { ...outcome, header: txn === undefined ? header : { ...header, txn } };
}
