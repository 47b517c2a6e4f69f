import { describe, expect, it, vi } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, ServerName } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
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
  /** Up to where the views are. */
  position: Position = START;
  readonly servers = new ServersInRooms(
    Object.assign(this.store, { position: () => this.position }) as unknown as Views, // all that is asked of them
    { serverName: 'a.example' as ServerName },
  );
  readonly #projector = remoteServersProjector(createRoomFactReader());
  readonly #facts = [LOG_OF_A];

  /** Somebody becomes something; answers the fact. */
  async note(userId: string, membership: string): Promise<RecordedFact> {
    this.#facts.push(memberFact(userId, membership, this.#facts.length));
    const fact = recordFacts(this.#facts).at(-1)!;
    await applyFacts(this.#projector, [fact], this.store);
    this.position = fact.position;
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

  it('are followed without being read again, and read anew where a fact changes more than by its own event', async () => {
    const room = await begin();
    await room.note('@b:b.example', 'join');
    await room.servers.of(ROOM);
    const scans = vi.spyOn(room.store, 'scan');
    await room.note('@c:c.example', 'join');
    await room.note('@b2:b.example', 'join');
    const left = await room.note('@b:b.example', 'leave');
    expect([...(await room.servers.of(ROOM))]).toEqual([B, C]);
    const gone = await room.note('@b2:b.example', 'leave');
    expect([...(await room.servers.before(ROOM, gone.position))]).toEqual([B, C]);
    expect([...(await room.servers.of(ROOM))]).toEqual([C]);
    const ofRoom = (): unknown[] => scans.mock.calls.filter(([name]) => name === 'room-servers');
    expect(ofRoom()).toEqual([]);
    const merge = { event_id: '$merge', state: [{ type: 'm.room.member', state_key: '@d:d.example', event_id: '$d' }] };
    const [fact] = recordFacts([{ stream: 'room-!r', type: 'pdu-accepted', data: { ...merge, pdu: { type: 'm' } } }]);
    room.servers.hear([{ ...fact!, position: positionOf(99) }]);
    expect([...(await room.servers.of(ROOM))]).toEqual([C]);
    expect(ofRoom()).toHaveLength(1);
    expect(left.position < gone.position).toBe(true);
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
