import type { EventStore } from '#event-store/event-store';
import type { RoomId } from '#kernel/ids';
import type { KeyRing } from '#rooms/audit/verify-room';
import { roomStream } from '#rooms/facts/room-facts';
import { StreamCheck } from '../verify/verify-stream.js';

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
  const problems = new Map<number, string[]>();
  let facts = 0;
  let unverifiable = 0;
  const check = new StreamCheck(roomStream(roomId), {
    store,
    head: await store.head(),
    keys,
    report({ revision = 0, problem }) {
      problems.set(revision, [...(problems.get(revision) ?? []), problem]);
    },
    onFact: () => facts++,
    onUnverifiable: () => unverifiable++,
  });
  for await (const fact of store.readStream(roomStream(roomId), { inParts: true })) {
    if (check.next > to || (await check.pass(fact, true)) === 'behind-head') break;
  }
  return { facts, problems, unverifiable };
}
