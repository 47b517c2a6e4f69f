import type { RoomId, ServerName } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { SERVER_LOG } from '../projections/server-log.js';
import type { Standing } from './standing.js';

/** Up to where a standing is asked for: a position, with the fact at it or without. */
type Moment = { readonly at: Position } | { readonly before: Position };

/**
 * What a server was in a room, or is now, by the most that any of its users was: `join`, `invite` or `leave`. undefined where the room
 * had not heard of it. One read, however many users it has there.
 */
export async function findServerStanding(
  views: Pick<Views, 'scan'>,
  roomId: RoomId,
  server: ServerName,
  moment?: Moment,
): Promise<Standing | undefined> {
  const bound =
    moment === undefined
      ? {}
      : 'at' in moment
        ? { to: [roomId, server, moment.at] as const }
        : { before: [roomId, server, moment.before] as const };
  const range = { prefix: [roomId, server], ...bound, reverse: true, limit: 1 } as const;
  const [last] = await SERVER_LOG.scan(views, range);
  if (last === undefined) return undefined;
  const { joined, invited, left = START } = last.value;
  const membership = joined > 0 ? 'join' : invited > 0 ? 'invite' : 'leave';
  return { membership, since: last.key[2], left };
}

/** Whether a server has somebody in a room now, as far as is known here. */
export async function isServerIn(views: Pick<Views, 'scan'>, roomId: RoomId, server: ServerName): Promise<boolean> {
  return (await findServerStanding(views, roomId, server))?.membership === 'join';
}
