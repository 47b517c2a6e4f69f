import type { RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { sealEvent } from '#protocol/signing/seal-event';
import type { ServerKeys } from '#rooms/server-keys';
import type { FakePeer } from '../fake-peer.js';
import { RoomElsewhere } from './room-elsewhere.js';

/** Where a room of a server is, and in which version. */
export interface RoomThere {
  /** Of the server that has it: `http://127.0.0.1:8008`. */
  readonly origin: string;
  readonly destination: ServerName;
  readonly roomId: RoomId;
  readonly version: RoomVersion;
  /** Those of all servers in it. */
  readonly keys: ServerKeys;
}

/** Has `bob` of a fake peer join a room of a server, as servers do; answers the room as the peer has it then. */
export async function joinFromPeer(
  peer: FakePeer,
  { origin, destination, roomId, version, keys }: RoomThere,
): Promise<RoomElsewhere> {
  const ask = (method: 'GET' | 'PUT', path: string, content?: JsonObject) =>
    peer.ask(origin, { destination, method, path: `/_matrix/federation${path}`, content });
  const { body: made } = await ask('GET', `/v1/make_join/${roomId}/${peer.server.user('bob')}?ver=${version.id}`);
  const sealed = sealEvent(made['event'] as Pdu, version, peer.name, peer.server.signingKey);
  const join = parseJson(sealed.json, { lenient: true }) as JsonObject;
  const { body } = await ask('PUT', `/v2/send_join/${roomId}/${sealed.eventId}`, join);
  const there = new RoomElsewhere(roomId, version, keys, peer.server);
  const known = new Map<string, Pdu>();
  for (const list of ['auth_chain', 'state'] as const) {
    for (const pdu of body[list] as Pdu[]) known.set(canonicalJson(pdu), pdu);
  }
  const before = [...known.values()].toSorted((a, b) => Number(a['depth']) - Number(b['depth']));
  for (const pdu of [...before, body['event'] as Pdu]) await there.receive(canonicalJson(pdu));
  return there;
}
