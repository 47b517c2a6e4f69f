import { MatrixError } from '#kernel/matrix-error';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import type { DeviceKey } from '../facts/device-streams.js';
import { INBOX } from '../projections/inbox.projector.js';
import { readInbox } from './read-inbox.js';

/** Some of what waits for such a device. */
export interface InboxBatch {
  /** Events as JSON texts. */
  readonly events: readonly string[];
  /** The token of what is behind them. */
  readonly next: string;
  /** There is no more. */
  readonly isLast: boolean;
}

/**
 * What waits for a device that no client holds, from a token of an earlier answer on: for a client that wants to read it (MSC3814,
 * "Rehydrating a device"). Nothing of it is taken for collected: another client may have to begin anew. Throws M_INVALID_PARAM.
 */
export async function readDehydratedInbox(
  views: Pick<Views, 'scan' | 'history' | 'position'>,
  device: DeviceKey,
  from: string | undefined,
  limit?: number,
): Promise<InboxBatch> {
  const after = from === undefined ? START : placeOf(views, from);
  const range = { after, upTo: views.position([INBOX.name]) };
  const { events, last, isCut } = await readInbox(views, device, range, limit);
  return { events, next: views.history.format(last ?? after), isLast: !isCut };
}

function placeOf({ history }: Pick<Views, 'history'>, token: string): Position {
  const place = history.find(token)?.place;
  if (typeof place === 'string') return place;
  throw new MatrixError('M_INVALID_PARAM', 'Not a token of this server');
}
