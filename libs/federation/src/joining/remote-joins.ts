import { Injectable } from '@nestjs/common';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { ReceivedEvents } from '#rooms/queries/received-events';
import type { RemoteJoin, RemoteMembership } from '#rooms/remote-rooms';
import { RoomsHere } from '../inbound/rooms-here.js';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';
import { askInTurn } from './ask-in-turn.js';
import { type JoinAnswer, readJoinAnswer } from './join-answer.js';
import { type BeforeMore, LargeJoins, MOST_BYTES } from './large-joins.js';
import { MemberEvents } from './member-events.js';
import { orV1 } from './or-v1.js';
import { RoomBringing } from './room-bringing.js';
import { ServersToAsk } from './servers-to-ask.js';

/** Other servers take minutes for large rooms. */
const TIMEOUT_MS = 180_000;

/** Joins of users here through servers that are in the room: server-server API, "Joining Rooms". */
@Injectable()
export class RemoteJoins {
  readonly #large = new LargeJoins();

  constructor(
    private readonly peers: Peers,
    private readonly members: MemberEvents,
    private readonly rooms: RoomBringing,
    private readonly servers: ServersToAsk,
    private readonly here: RoomsHere,
    private readonly received: ReceivedEvents,
  ) {}

  /** As `RemoteRooms.join`. */
  async join(wish: RemoteMembership): Promise<RemoteJoin | undefined> {
    const servers = await this.servers.of(wish);
    if (servers.length === 0) return undefined;
    return askInTurn(servers, async (server) => ({ position: await this.#joinThrough(server, wish) }));
  }

  async #joinThrough(server: ServerName, wish: RemoteMembership) {
    const { requester, roomId } = wish;
    const { version, sealed } = await this.members.make(server, 'join', { ...wish, userId: requester.userId });
    const { eventId, pdu } = sealed;
    // Of a room that is here all of the state may be needed, where nobody tells what happened meanwhile.
    const isPartEnough = (await this.received.findVersion(roomId)) === undefined;
    const bring = async (beforeMore: BeforeMore) => {
      const answer = await this.#send(server, { roomId, eventId }, pdu, { beforeMore, isPartEnough });
      return this.rooms.bring({ server, roomId, version, eventId, pdu, answer });
    };
    return this.here.expect(roomId, version, () => this.#large.run(bring));
  }

  async #send(
    server: ServerName,
    event: { roomId: string; eventId: string },
    content: JsonObject,
    { beforeMore, isPartEnough }: { readonly beforeMore: BeforeMore; readonly isPartEnough: boolean },
  ): Promise<JoinAnswer> {
    const send = (v: 'v1' | 'v2'): Promise<Uint8Array> => {
      const query = v === 'v2' && isPartEnough ? { omit_members: 'true' } : {};
      const path = pathOf(`/_matrix/federation/${v}/send_join/:roomId/:eventId`, event, query);
      const bounds = { timeoutMs: TIMEOUT_MS, maxBytes: MOST_BYTES, beforeMore, insists: true };
      return this.peers.askBytes(server, { method: 'PUT', path, content, ...bounds });
    };
    return readJoinAnswer(
      await orV1(
        () => send('v2'),
        () => send('v1'),
      ),
    );
  }
}
