import { Injectable } from '@nestjs/common';
import type { ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';
import type { InviteToExchange, InviteToSign } from '#rooms/remote-rooms';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';
import { orV1 } from './or-v1.js';

/** Invitations of users of other servers: server-server API, "Inviting to a room". */
@Injectable()
export class RemoteInvites {
  constructor(private readonly peers: Peers) {}

  /** Asks the server of the invited to sign an invitation; answers the event as it came back. Throws PeerUnavailable, PeerRefused. */
  async send(server: ServerName, invite: InviteToSign): Promise<JsonObject> {
    const { version, pdu, roomState } = invite;
    const askV2 = (): Promise<unknown> =>
      this.#put(server, 'v2', invite, { event: pdu, room_version: version.id, invite_room_state: roomState });
    // In version 1 of the path nothing says which version the room has: it is one of those that there were then.
    const askV1 = (): Promise<unknown> =>
      this.#put(server, 'v1', invite, { ...pdu, unsigned: { invite_room_state: roomState } });
    const answer = await (version.references === 'pairs' ? orV1(askV2, askV1) : askV2());
    const event = isJsonObject(answer) ? answer['event'] : undefined;
    if (!isJsonObject(event)) throw new PeerUnavailable(`${server} answered no event`);
    return event;
  }

  /** Throws PeerUnavailable, PeerRefused. */
  async exchange(
    server: ServerName,
    { roomId, sender, userId, displayName = '', signed }: InviteToExchange,
  ): Promise<void> {
    const third_party_invite = { display_name: displayName, signed };
    const content = { membership: 'invite', third_party_invite };
    await this.peers.ask(server, {
      method: 'PUT',
      path: pathOf('/_matrix/federation/v1/exchange_third_party_invite/:roomId', { roomId }),
      content: { type: 'm.room.member', room_id: roomId, sender, state_key: userId, content },
      insists: true,
    });
  }

  /** What of version 1 stands behind a status is the same as what version 2 answers. */
  async #put(server: ServerName, v: 'v1' | 'v2', { roomId, eventId }: InviteToSign, content: JsonObject) {
    const path = pathOf(`/_matrix/federation/${v}/invite/:roomId/:eventId`, { roomId, eventId });
    const request = { method: 'PUT', path, content, insists: true } as const;
    if (v === 'v2') return this.peers.ask(server, request);
    const list: unknown = parseAnswer(await this.peers.askBytes(server, request));
    return Array.isArray(list) ? (list as unknown[])[1] : undefined;
  }
}

function parseAnswer(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch {
    return undefined;
  }
}
