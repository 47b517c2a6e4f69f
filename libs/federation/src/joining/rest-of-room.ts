import { Injectable } from '@nestjs/common';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { readPdus } from '#rooms/queries/read-pdus';
import { ServingSources } from '#rooms/queries/serving-sources';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';
import { readJoinAnswer, readStateAnswer, type StateAnswer } from './join-answer.js';
import { type BeforeMore, MOST_BYTES } from './large-joins.js';

/** Other servers take minutes to put a large state together. */
const TIMEOUT_MS = 10 * 60_000;

/** The join by which a part of a room came here. */
interface JoinInPart {
  readonly roomId: RoomId;
  readonly eventId: EventId;
}

/** Asks other servers for the whole state before a join of which they told a part. */
@Injectable()
export class RestOfRoom {
  constructor(
    private readonly peers: Peers,
    private readonly sources: ServingSources,
  ) {}

  /**
   * What a server tells of it: server-server API, "Retrieving state". Where it refuses that, and `letsIn` says that it lets joins of ours in,
   * it is given the join event once more, which it has, and is not asked to leave members out. Throws PeerUnavailable, PeerRefused.
   */
  async askFor(
    server: ServerName,
    join: JoinInPart,
    { letsIn, beforeMore }: { readonly letsIn: boolean; readonly beforeMore: BeforeMore },
  ): Promise<StateAnswer> {
    const { roomId, eventId } = join;
    const path = pathOf('/_matrix/federation/v1/state/:roomId', { roomId }, { event_id: eventId });
    const bounds = { timeoutMs: TIMEOUT_MS, maxBytes: MOST_BYTES, beforeMore };
    try {
      return await readStateAnswer(await this.peers.askBytes(server, { method: 'GET', path, ...bounds }));
    } catch (error) {
      if (!letsIn || !(error instanceof PeerRefused) || error.status === 429) throw error;
    }
    const contentText = (await readPdus(this.sources, roomId, [eventId])).get(eventId);
    if (contentText === undefined) throw new PeerUnavailable('The join is not there');
    const again = pathOf('/_matrix/federation/v2/send_join/:roomId/:eventId', { roomId, eventId });
    const answer = await readJoinAnswer(
      await this.peers.askBytes(server, { method: 'PUT', path: again, contentText, ...bounds }),
    );
    if (answer.servers !== undefined) throw new PeerUnavailable(`${server} leaves members out unasked`);
    return answer;
  }
}
