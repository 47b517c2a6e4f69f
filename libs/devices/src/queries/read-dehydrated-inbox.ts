import { MatrixError } from '#kernel/matrix-error';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import type { DeviceKey } from '../facts/device-streams.js';
import { INBOX } from '../projections/inbox.projector.js';
import { readInbox } from './read-inbox.js';

/**
 * What waits for a device that no client holds, from a token of an earlier answer on, as JSON text: the answer to a client that wants to
 * read it (MSC3814, "Rehydrating a device"). Nothing of it is taken for collected: another client may have to begin anew. Throws
 * M_INVALID_PARAM.
 */
export async function readDehydratedInbox(
  views: Pick<Views, 'scan' | 'history' | 'position'>,
  device: DeviceKey,
  from: string | undefined,
): Promise<string> {
  const after = from === undefined ? START : placeOf(views, from);
  const { events, last } = await readInbox(views, device, { after, upTo: views.position([INBOX.name]) });
  const next = views.history.format(last ?? after);
  return `{"events":[${events.join()}],"next_batch":${JSON.stringify(next)}}`;
}

function placeOf({ history }: Pick<Views, 'history'>, token: string): Position {
  const place = history.find(token)?.place;
  if (typeof place === 'string') return place;
  throw new MatrixError('M_INVALID_PARAM', 'next_batch: not a token of this server');
}
