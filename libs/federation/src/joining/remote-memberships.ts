import { Injectable } from '@nestjs/common';
import { isRoomId, isServerName, type RoomAlias, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';
import type { SealedEvent } from '#protocol/signing/seal-event';
import type {
  InviteToSign,
  RemoteEvent,
  RemoteJoin,
  RemoteKnock,
  RemoteMembership,
  RemoteRooms,
} from '#rooms/remote-rooms';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';
import { askInTurn } from './ask-in-turn.js';
import { type MadeMember, MemberEvents } from './member-events.js';
import { orV1 } from './or-v1.js';
import { RemoteInvites } from './remote-invites.js';
import { RemoteJoins } from './remote-joins.js';
import { ServersToAsk } from './servers-to-ask.js';

/** What other servers do for the memberships of users here. */
@Injectable()
export class RemoteMemberships implements RemoteRooms {
  constructor(
    private readonly peers: Peers,
    private readonly members: MemberEvents,
    private readonly joins: RemoteJoins,
    private readonly invites: RemoteInvites,
    private readonly servers: ServersToAsk,
  ) {}

  async findAlias(alias: RoomAlias): Promise<{ readonly roomId: RoomId; readonly servers: readonly ServerName[] }> {
    const path = pathOf('/_matrix/federation/v1/query/directory', {}, { room_alias: alias });
    return askInTurn([serverNameOf(alias)], async (server) => {
      const { room_id: roomId, servers } = await this.peers.ask(server, { method: 'GET', path, insists: true });
      if (typeof roomId !== 'string' || !isRoomId(roomId)) throw new PeerUnavailable('It names no room');
      const named: unknown[] = Array.isArray(servers) ? servers : [];
      return { roomId, servers: [server, ...named.filter(isNameOfServer)] };
    });
  }

  join(wish: RemoteMembership): Promise<RemoteJoin | undefined> {
    return this.joins.join(wish);
  }

  /** Server-server API, "Knocking upon a room". */
  knock(wish: RemoteMembership): Promise<RemoteKnock | undefined> {
    return this.#ask(wish, async (server) => {
      const { version, sealed } = await this.#make(server, 'knock', wish);
      const path = pathOf('/_matrix/federation/v1/send_knock/:roomId/:eventId', idsOf(wish, sealed));
      const answer = await this.peers.ask(server, { method: 'PUT', path, content: sealed.pdu, insists: true });
      const { knock_room_state: told } = answer;
      return { eventId: sealed.eventId, pdu: sealed.pdu, server, version, roomState: Array.isArray(told) ? told : [] };
    });
  }

  /** Server-server API, "Leaving Rooms (Rejecting Invites)". */
  leave(wish: RemoteMembership): Promise<RemoteEvent | undefined> {
    return this.#ask(wish, async (server) => {
      const { sealed } = await this.#make(server, 'leave', wish);
      const ids = idsOf(wish, sealed);
      await orV1(
        () => this.#put(server, pathOf('/_matrix/federation/v2/send_leave/:roomId/:eventId', ids), sealed.pdu),
        () => this.#put(server, pathOf('/_matrix/federation/v1/send_leave/:roomId/:eventId', ids), sealed.pdu),
      );
      return { eventId: sealed.eventId, pdu: sealed.pdu, server };
    });
  }

  invite(server: ServerName, invite: InviteToSign): Promise<JsonObject> {
    return askInTurn([server], () => this.invites.send(server, invite));
  }

  async #ask<T>(wish: RemoteMembership, ask: (server: ServerName) => Promise<T>): Promise<T | undefined> {
    const servers = await this.servers.of(wish);
    return servers.length === 0 ? undefined : askInTurn(servers, ask);
  }

  #make(server: ServerName, step: 'knock' | 'leave', wish: RemoteMembership): Promise<MadeMember> {
    return this.members.make(server, step, { ...wish, userId: wish.requester.userId });
  }

  /** What is answered says nothing. */
  #put(server: ServerName, path: string, content: JsonObject): Promise<Uint8Array> {
    return this.peers.askBytes(server, { method: 'PUT', path, content, insists: true });
  }
}

function idsOf(
  { roomId }: RemoteMembership,
  { eventId }: Pick<SealedEvent, 'eventId'>,
): { roomId: string; eventId: string } {
  return { roomId, eventId };
}

function isNameOfServer(value: unknown): value is ServerName {
  return typeof value === 'string' && isServerName(value);
}
