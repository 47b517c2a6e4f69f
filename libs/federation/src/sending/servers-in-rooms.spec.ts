import { describe, expect, it, vi } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, ServerName } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { partialRoomsProjector } from '#rooms/projections/partial-rooms.projector';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { applyFacts, recordFacts, type StreamFact } from '#testing/project';
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
  readonly servers = this.#follow();
  readonly #projector = remoteServersProjector(createRoomFactReader());
  readonly #facts: StreamFact[] = [LOG_OF_A];

  /** Somebody becomes something; answers the fact. */
  note(userId: string, membership: string): Promise<RecordedFact> {
    return this.#add(memberFact(userId, membership, this.#facts.length));
  }

  /** It comes without its members, of which servers are named, or the rest of it comes. */
  comes(servers: readonly ServerName[] | 'whole'): Promise<RecordedFact> {
    if (servers === 'whole') return this.#add({ stream: `room-${ROOM}`, type: 'join-filled', data: {} });
    const data = { event_id: '$join', partial: { via: servers[0], servers } };
    return this.#add({ stream: `room-${ROOM}`, type: 'join-completed', data });
  }

  /** Another process over the same log, or this one after a restart: it has heard nothing. */
  restarted(): ServersInRooms {
    return this.#follow();
  }

  #follow(): ServersInRooms {
    // All that is asked of them.
    const views = Object.assign(this.store, { position: () => this.position }) as unknown as Views;
    return new ServersInRooms(views, { serverName: 'a.example' as ServerName });
  }

  async #add(draft: StreamFact): Promise<RecordedFact> {
    this.#facts.push(draft);
    const fact = recordFacts(this.#facts).at(-1)!;
    await applyFacts(this.#projector, [fact], this.store);
    await applyFacts(partialRoomsProjector, [fact], this.store);
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

  it('are those of before an event also where a server comes while they are read for that', async () => {
    const room = await begin();
    await room.note('@a:a.example', 'join');
    const said = await room.note('@a:a.example', 'join');
    const get = room.store.get.bind(room.store);
    let goOn: (() => void) | undefined;
    const held = vi.spyOn(room.store, 'get').mockImplementation(async (collection, key) => {
      const found = await get(collection, key);
      if (collection === 'room-servers-changed') await new Promise<void>((resolve) => (goOn = resolve));
      return found;
    });
    const before = room.servers.before(ROOM, said.position);
    await expect.poll(() => goOn).toBeDefined();
    held.mockRestore();
    await room.note('@b:b.example', 'join');
    goOn!();
    expect([...(await before)]).toEqual([]);
    expect([...(await room.servers.of(ROOM))]).toEqual([B]);
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

  it('of a room of which a part is here are those that were named too, until all of it is; and of events of that time', async () => {
    const room = await begin();
    const own = await room.note('@a:a.example', 'join');
    expect([...(await room.servers.of(ROOM))]).toEqual([]);
    expect(room.servers.isNobodyElseIn(ROOM, positionOf(99))).toBe(true);
    // Who sends hears of it before the views do.
    const sender = room.restarted();
    const partial = { via: B, servers: [B] };
    sender.hear(
      recordFacts([{ stream: `room-${ROOM}`, type: 'join-completed', data: { event_id: '$join', partial } }]),
    );
    expect([...(await sender.of(ROOM))]).toEqual([B]);
    expect(sender.isNobodyElseIn(ROOM, positionOf(99))).toBe(false);
    await room.comes([B!, C!, 'a.example' as ServerName]);
    const said = await room.note('@a:a.example', 'join');
    for (const servers of [room.servers, room.restarted()]) {
      expect(new Set(await servers.of(ROOM))).toEqual(new Set([B, C]));
      expect(new Set(await servers.before(ROOM, said.position))).toEqual(new Set([B, C]));
      expect(servers.isNobodyElseIn(ROOM, positionOf(99))).toBe(false);
    }
    await room.note('@b:b.example', 'join');
    await room.comes('whole');
    const later = positionOf(99);
    for (const servers of [room.servers, room.restarted()]) {
      expect([...(await servers.of(ROOM))]).toEqual([B]);
      expect([...(await servers.before(ROOM, later))]).toEqual([B]);
      expect(new Set(await servers.before(ROOM, said.position))).toEqual(new Set([B, C]));
      expect([...(await servers.before(ROOM, own.position))]).toEqual([]);
    }
  });
});
