import { describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, ServerName } from '#kernel/ids';
import type { Views } from '#projections/views';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { applyFacts, recordFacts } from '#testing/project';
import { LOG_OF_A, memberFact } from '../../test/member-facts.js';
import { remoteServersProjector } from '../projections/remote-servers.projector.js';
import { ServersInRooms } from './servers-in-rooms.js';

const ROOM = '!r' as RoomId;
const [B, C] = ['b.example', 'c.example'] as ServerName[];

/** A log of memberships, and who follows it. */
class Room {
  readonly store = new MemoryReadModels();
  readonly servers = new ServersInRooms(this.store as unknown as Views, { serverName: 'a.example' as ServerName });
  readonly #projector = remoteServersProjector(createRoomFactReader());
  readonly #facts = [LOG_OF_A];

  /** Somebody becomes something; answers the fact. */
  async note(userId: string, membership: string): Promise<RecordedFact> {
    this.#facts.push(memberFact(userId, membership, this.#facts.length));
    const fact = recordFacts(this.#facts).at(-1)!;
    await applyFacts(this.#projector, [fact], this.store);
    this.servers.hear([fact]);
    return fact;
  }
}

/** One of which only the log's beginning was heard. */
async function begin(): Promise<Room> {
  const room = new Room();
  await applyFacts(remoteServersProjector(createRoomFactReader()), recordFacts([LOG_OF_A]), room.store);
  return room;
}

describe('the servers in a room', () => {
  it('are told without ours, and anew once a membership changed', async () => {
    const room = await begin();
    await room.note('@a:a.example', 'join');
    expect([...(await room.servers.of(ROOM))]).toEqual([]);
    await room.note('@b:b.example', 'join');
    await room.note('@c:c.example', 'join');
    expect([...(await room.servers.of(ROOM))]).toEqual([B, C]);
    await room.note('@b:b.example', 'leave');
    expect([...(await room.servers.of(ROOM))]).toEqual([C]);
  });

  it('are read once while no membership changes', async () => {
    const room = await begin();
    await room.note('@b:b.example', 'join');
    const first = await room.servers.of(ROOM);
    room.servers.hear(
      recordFacts([{ stream: 'room-!r', type: 'pdu-accepted', data: { state: [], root: '', pdu: {} } }]),
    );
    expect(await room.servers.of(ROOM)).toBe(first);
  });

  it('are those of before an event for who sends it, also where the views have gone on', async () => {
    const room = await begin();
    const joined = await room.note('@b:b.example', 'join');
    await room.note('@c:c.example', 'join');
    const left = await room.note('@b:b.example', 'ban');
    const before = async ({ position }: RecordedFact): Promise<ServerName[]> => [
      ...(await room.servers.before(ROOM, position)),
    ];
    expect(await before(joined)).toEqual([]);
    expect(new Set(await before(left))).toEqual(new Set([B, C]));
    expect([...(await room.servers.before(ROOM, positionOf(99)))]).toEqual([C]);
  });

  it('tell their rooms, and those they left since a place', async () => {
    const room = await begin();
    const joined = await room.note('@b:b.example', 'join');
    expect(await room.servers.roomsOf(B!)).toEqual([ROOM]);
    const left = await room.note('@b:b.example', 'leave');
    expect(await room.servers.roomsOf(B!)).toEqual([]);
    const { revision, position } = left;
    expect(await room.servers.roomsLeftSince(B!, joined.position)).toEqual([{ roomId: ROOM, revision }]);
    expect(await room.servers.roomsLeftSince(B!, position)).toEqual([{ roomId: ROOM, revision }]);
    expect(await room.servers.roomsLeftSince(B!, positionOf(99))).toEqual([]);
  });
});
