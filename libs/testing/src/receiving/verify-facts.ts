import type { RecordedFact } from '#event-store/event-store';
import type { ServerName } from '#kernel/ids';
import { roomStream } from '#rooms/facts/room-facts';
import { RoomVerifier } from '#rooms/audit/verify-room';
import type { ServerKeys } from '#rooms/server-keys';
import { positionOf } from '../position-of.js';
import type { MemoryRoom } from './memory-room.js';

/** The facts of a room in memory as they would stand in a log. */
export function recordedFactsOf({ roomId, facts }: MemoryRoom): RecordedFact[] {
  return facts.map((fact, revision) => {
    const place = { stream: roomStream(roomId), revision, position: positionOf(revision + 1) };
    return { id: String(revision), metadata: { at: 0, actor: 'test', schema: 1, chain: '' }, ...place, ...fact };
  });
}

/** What `annals verify` says of all that a room in memory would have written. */
export function problemsOf(room: MemoryRoom, keys: ServerKeys): string[] {
  const verifier = new RoomVerifier(room.roomId, (server, keyId) => keys.find(server as ServerName, keyId)?.key);
  const findings = recordedFactsOf(room).flatMap((fact) => verifier.check(fact));
  return [...findings, ...verifier.end()].map(({ problem }) => problem);
}
