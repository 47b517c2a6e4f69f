import { Injectable } from '@nestjs/common';
import type { WantedRooms } from '#directory/queries/public-rooms-request';
import type { RemoteDirectories } from '#directory/remote-directories';
import { isRoomId, type RoomId, type ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject, JsonNumber, type JsonValue } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';
import { pathOf } from '../peers/path-of.js';
import { type PeerRequest, Peers } from '../peers/peers.js';
import { ServersInRooms } from '../sending/servers-in-rooms.js';

const PATH = '/_matrix/federation/v1/publicRooms';
const TIMEOUT_MS = 20_000;
const MAX_BYTES = 4 * 1024 * 1024;
/** NOTSPEC: who names no limit, and wants all that there is, is told so many rooms at a time: there are servers with a hundred thousand. */
const MOST = 500;

/** The directories of other servers: server-server API, "Published Room Directory". */
@Injectable()
export class PeersDirectories implements RemoteDirectories {
  constructor(
    private readonly peers: Peers,
    private readonly inRooms: ServersInRooms,
  ) {}

  async listRooms(server: ServerName, wanted: WantedRooms): Promise<JsonObject> {
    const answer = await this.peers.ask(server, {
      ...requestOf(wanted),
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
      insists: true,
    });
    const { chunk, next_batch: next, prev_batch: previous, total_room_count_estimate: total } = answer;
    if (!Array.isArray(chunk)) throw new PeerUnavailable(`${server}: its list of public rooms is none`);
    return {
      chunk: (chunk as readonly JsonValue[]).filter(isRoom),
      ...(typeof next === 'string' ? { next_batch: next } : {}),
      ...(typeof previous === 'string' ? { prev_batch: previous } : {}),
      ...(typeof total === 'number' || total instanceof JsonNumber ? { total_room_count_estimate: total } : {}),
    };
  }

  async serversIn(roomId: RoomId): Promise<readonly ServerName[]> {
    return [...(await this.inRooms.of(roomId))];
  }
}

/** What is searched for stands in a body. */
function requestOf({ request, network }: WantedRooms): Pick<PeerRequest, 'method' | 'path' | 'content'> {
  const { since, term, types } = request;
  const limit = Math.min(request.limit || MOST, MOST);
  const networks = {
    include_all_networks: network === 'all' ? true : undefined,
    third_party_instance_id: typeof network === 'object' ? network.id : undefined,
  };
  if (term === undefined && types === undefined) {
    return { method: 'GET', path: pathOf(PATH, {}, { limit, since, ...networks }) };
  }
  const filter = { generic_search_term: term, room_types: types };
  return { method: 'POST', path: PATH, content: { limit, since, filter, ...networks } };
}

function isRoom(value: JsonValue): boolean {
  return isJsonObject(value) && typeof value['room_id'] === 'string' && isRoomId(value['room_id']);
}
