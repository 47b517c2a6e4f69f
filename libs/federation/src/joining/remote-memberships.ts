import { Injectable } from '@nestjs/common';
import type { RoomAlias, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { SealedEvent } from '#protocol/signing/seal-event';
import type {
  InviteToExchange,
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
import { RemoteAliases } from './remote-aliases.js';
import { RemoteInvites } from './remote-invites.js';
import { RemoteJoins } from './remote-joins.js';
import { ServersToAsk } from './servers-to-ask.js';

/** What other servers do for the memberships of users here. */
@Injectable()
export class RemoteMemberships implements RemoteRooms {
  readonly #aliases: RemoteAliases;

  constructor(
    private readonly peers: Peers,
    private readonly members: MemberEvents,
    private readonly joins: RemoteJoins,
    private readonly invites: RemoteInvites,
    private readonly servers: ServersToAsk,
  ) {
    this.#aliases = new RemoteAliases(peers);
  }

  findAlias(alias: RoomAlias, insists: boolean): ReturnType<RemoteAliases['find']> {
    return this.#aliases.find(alias, insists);
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

  exchange(server: ServerName, invite: InviteToExchange): Promise<void> {
    return askInTurn([server], () => this.invites.exchange(server, invite));
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
