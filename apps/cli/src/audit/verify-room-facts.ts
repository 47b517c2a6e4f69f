import type { EventStore } from '#event-store/event-store';
import { verifyChain } from '#event-store/seal-facts';
import type { RoomId } from '#kernel/ids';
import { type KeyRing, RoomVerifier } from '#rooms/audit/verify-room';
import { roomStream } from '#rooms/facts/room-facts';
import { messageOf } from '../failure.js';

/** What a verification of one room found. */
export interface VerifiedRoom {
  /** How many facts were looked at. */
  readonly facts: number;
  /** What is wrong, by revision. */
  readonly problems: ReadonlyMap<number, readonly string[]>;
  /** Events whose signatures are all by keys that are not known. */
  readonly unverifiable: number;
}

/** Verifies a room's facts up to a revision (inclusive), as `annals verify` does with every stream. */
export async function verifyRoomFacts(
  store: EventStore,
  roomId: RoomId,
  keys: KeyRing,
  to = Infinity,
): Promise<VerifiedRoom> {
  const room = new RoomVerifier(roomId, keys);
  const problems = new Map<number, string[]>();
  let facts = 0;
  let chain: string | undefined;
  for await (const fact of store.readStream(roomStream(roomId))) {
    if (fact.revision > to) break;
    const found = room.check(fact).map(({ problem }) => problem);
    if (fact.revision !== facts) found.push(`it says that it is revision ${fact.revision}, in the place of ${facts}`);
    try {
      if (!verifyChain(chain, fact)) {
        found.push('the chain does not hold: this fact is not what was written, or the one before it is not');
      }
    } catch (error) {
      found.push(`the metadata are malformed: ${messageOf(error)}`);
    }
    chain = fact.metadata.chain;
    if (found.length > 0) problems.set(fact.revision, found);
    facts++;
  }
  return { facts, problems, unverifiable: room.unverifiable };
}
