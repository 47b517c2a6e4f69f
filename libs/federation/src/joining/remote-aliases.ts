import { Counted } from '#kernel/counted';
import { isRoomId, isServerName, type RoomAlias, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import { PeerUnavailable } from '#kernel/peer-errors';
import { pathOf } from '../peers/path-of.js';
import type { Peers } from '../peers/peers.js';
import { askInTurn } from './ask-in-turn.js';

/** Where an alias points, as its server says. */
interface FoundAlias {
  readonly roomId: RoomId;
  /** That server first, and each once. */
  readonly servers: readonly ServerName[];
}

/** So many questions are under way to one server, and fewer of those that nobody waits for who is known here. */
const MOST = 50;
const MOST_OF_STRANGERS = 5;
/** A stranger waits no longer than a server that is there takes to begin its answer. */
const STRANGERS_WAIT_MS = 10_000;

/** Asks other servers where their aliases point: server-server API, "Querying for information". */
export class RemoteAliases {
  readonly #underWay = new Counted<ServerName>();

  constructor(private readonly peers: Pick<Peers, 'ask'>) {}

  /** As `RemoteRooms.findAlias`. */
  find(alias: RoomAlias, insists: boolean): Promise<FoundAlias> {
    return askInTurn([serverNameOf(alias)], (server) => this.#ask(server, alias, insists));
  }

  async #ask(server: ServerName, alias: RoomAlias, insists: boolean): Promise<FoundAlias> {
    const mayAsk = this.#underWay.begin(server, insists ? MOST : MOST_OF_STRANGERS);
    if (!mayAsk) throw new PeerUnavailable('It is asked too much just now');
    try {
      const path = pathOf('/_matrix/federation/v1/query/directory', {}, { room_alias: alias });
      const timeoutMs = insists ? undefined : STRANGERS_WAIT_MS;
      const { room_id: roomId, servers } = await this.peers.ask(server, { method: 'GET', path, insists, timeoutMs });
      if (typeof roomId !== 'string' || !isRoomId(roomId)) throw new PeerUnavailable('It names no room');
      const named: unknown[] = Array.isArray(servers) ? servers : [];
      return { roomId, servers: [...new Set([server, ...named.filter(isNameOfServer)])] };
    } finally {
      this.#underWay.end(server);
    }
  }
}

function isNameOfServer(name: unknown): name is ServerName {
  return typeof name === 'string' && isServerName(name);
}
