import { beforeEach, describe, expect, it } from 'vitest';
import { devicesProjector } from '#accounts/projections/devices.projector';
import { crossSigningProjector } from '#devices/projections/cross-signing.projector';
import { deviceKeysProjector } from '#devices/projections/device-keys.projector';
import { deviceListsProjector } from '#devices/projections/device-lists.projector';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, ServerName } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { membershipProjector } from '#rooms/projections/membership.projector';
import { roomActivityProjector } from '#rooms/projections/room-activity.projector';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, recordFacts, type StreamFact } from '#testing/project';
import { LOG_OF_A, memberFact } from '../../test/member-facts.js';
import { deviceUpdatesProjector } from '../projections/device-updates.projector.js';
import { remoteServersProjector } from '../projections/remote-servers.projector.js';
import type { Edu } from '../sending/edu-source.js';
import { ServersInRooms } from '../sending/servers-in-rooms.js';
import { DeviceListSource } from './device-list-source.js';
import { ServersSharing } from './servers-sharing.js';

const [ALICE, CAROL] = ['@alice:a.example', '@carol:a.example'];
const BOB = '@bob:b.example';
const [B, C] = ['b.example', 'c.example'] as ServerName[];
const CONFIG = { serverName: 'a.example' as ServerName };

/** A log, and views that follow it. */
class World {
  readonly store = new MemoryReadModels();
  position: Position = START;
  readonly #views = Object.assign(this.store, { position: () => this.position }) as unknown as Views; // all that is asked of them
  readonly servers = new ServersInRooms(this.#views, CONFIG);
  readonly source = new DeviceListSource(
    this.#views,
    CONFIG,
    this.servers,
    new ServersSharing(this.#views, this.servers),
  );
  readonly #facts: StreamFact[] = [];

  /** Answers the fact as it is in the log. */
  async note(fact: StreamFact): Promise<RecordedFact> {
    this.#facts.push(fact);
    const recorded = recordFacts(this.#facts).at(-1)!;
    const reader = createRoomFactReader();
    const ofRooms = [membershipProjector, roomActivityProjector, deviceListsProjector, remoteServersProjector];
    const projectors = [
      ...ofRooms.map((make) => make(reader)),
      devicesProjector,
      deviceKeysProjector,
      crossSigningProjector,
      deviceUpdatesProjector,
    ];
    for (const projector of projectors) await applyFacts(projector, [recorded], this.store);
    this.position = recorded.position;
    this.servers.hear([recorded]);
    return recorded;
  }

  member(userId: string, membership: string, room = '!r'): Promise<RecordedFact> {
    const fact = memberFact(userId, membership, this.#facts.length);
    return this.note({ ...fact, stream: `room-${room}` });
  }

  /** A device of a user comes, with keys. */
  async device(userId: string, deviceId: string): Promise<RecordedFact> {
    const device = { device_id: deviceId, token_hash: deviceId };
    await this.note({ stream: `user-${userId}`, type: 'device-added', data: device, at: 1 });
    const keys = { user_id: userId, device_id: deviceId, keys: { k: 'v' } };
    return this.note({
      stream: `device-${userId}|${deviceId}`,
      type: 'device-keys-set',
      data: { created_ts: 1, device_keys: keys, after: { counts: {}, unused: [] } },
    });
  }

  /** What is told because of a fact, and whom. */
  async told(fact: RecordedFact): Promise<[servers: ServerName[], edu: Edu][]> {
    if (!this.source.concerns(fact)) return [];
    return (await this.source.edusOf(fact)).map(({ destinations, edu }) => [[...destinations], edu]);
  }

  async missed(server: ServerName, since: Position): Promise<Edu[]> {
    const edus: Edu[] = [];
    for await (const some of this.source.missedBy(server, since)) edus.push(...some);
    return edus;
  }
}

let world: World;

beforeEach(async () => {
  world = new World();
  await world.note(LOG_OF_A);
});

const updateOf = (userId: string, deviceId: string) =>
  expect.objectContaining({
    edu_type: 'm.device_list_update',
    content: expect.objectContaining({ user_id: userId, device_id: deviceId }) as object,
  }) as Edu;
const outdated = (userId: string) =>
  expect.objectContaining({
    content: expect.objectContaining({ user_id: userId, prev_id: [] }) as object,
  }) as Edu;

describe('a change of keys of a user', () => {
  it('is told to the servers that are in a room with them, with the number of the one before', async () => {
    await world.member(ALICE!, 'join');
    const first = await world.device(ALICE!, 'ONE');
    expect(await world.told(first)).toEqual([]);
    await world.member(BOB, 'join');
    await world.member('@carl:c.example', 'join', '!elsewhere');
    const second = await world.device(ALICE!, 'TWO');
    const [[servers, edu]] = (await world.told(second)) as [[ServerName[], Edu]];
    expect([servers, edu]).toEqual([[B], updateOf(ALICE!, 'TWO')]);
    expect(edu.content['prev_id']).toHaveLength(1);
    expect(edu.content['keys']).toMatchObject({ device_id: 'TWO' });
  });

  it('is told later to a server that missed it, as it is then, and to no other', async () => {
    await world.member(ALICE!, 'join');
    await world.member(BOB, 'join');
    const since = (await world.device(ALICE!, 'ONE')).position;
    await world.device(CAROL!, 'HERS');
    await world.note({ stream: `user-${ALICE}`, type: 'devices-removed', data: { device_ids: ['ONE'] } });
    const missed = await world.missed(B!, since);
    expect(missed).toEqual([updateOf(ALICE!, 'ONE'), updateOf(ALICE!, 'ONE')]);
    expect(missed.map(({ content }) => content['deleted'])).toEqual([true, true]);
    expect(await world.missed(C!, since)).toEqual([]);
    expect(await world.missed(B!, (await world.member(ALICE!, 'join', '!other')).position)).toEqual([]);
  });
});

describe('a user who joins a room', () => {
  beforeEach(async () => {
    await world.member(BOB, 'join');
    await world.device(ALICE!, 'ONE');
  });

  it('is told as one of whom all may be old, to those servers alone that were in no room with them', async () => {
    const join = await world.member(ALICE!, 'join');
    expect(await world.told(join)).toEqual([[[B], outdated(ALICE!)]]);
    expect(await world.told(await world.member(ALICE!, 'join'))).toEqual([]);
    await world.member(BOB, 'join', '!other');
    await world.member('@carl:c.example', 'join', '!other');
    expect(await world.told(await world.member(ALICE!, 'join', '!other'))).toEqual([[[C], outdated(ALICE!)]]);
    await world.member(CAROL!, 'join', '!third');
    expect(await world.told(await world.member(CAROL!, 'join'))).toEqual([]);
  });

  it('is told so later to a server that was away: what it knew of them was not kept up since they shared no room', async () => {
    const since = (await world.member(CAROL!, 'join')).position;
    await world.member(ALICE!, 'join');
    await world.member(ALICE!, 'join');
    expect(await world.missed(B!, since)).toEqual([outdated(ALICE!)]);
    expect(await world.missed(C!, since)).toEqual([]);
    const after = (await world.member('@dave:a.example', 'join')).position;
    expect(await world.missed(B!, after)).toEqual([]);
  });

  it('is not told so later where they shared another room all the time, or have left again', async () => {
    await world.member(BOB, 'join', '!other');
    await world.member(ALICE!, 'join', '!other');
    const since = (await world.member(ALICE!, 'join')).position;
    expect(await world.missed(B!, since)).toEqual([]);
    await world.member(ALICE!, 'leave', '!other');
    await world.member(ALICE!, 'leave');
    expect(await world.missed(B!, since)).toEqual([]);
  });

  it('is told so once, also where they joined several rooms with it', async () => {
    const since = (await world.member(ALICE!, 'join')).position;
    await world.member(BOB, 'join', '!other');
    await world.member(ALICE!, 'join', '!other');
    expect(await world.missed(B!, since)).toEqual([outdated(ALICE!)]);
  });
});

describe('a restoration of the log', () => {
  const restoration = (more: object = {}): StreamFact => ({
    stream: 'server',
    type: 'log-restored',
    data: { restore_id: 'cafe0000', agreed: START, ...more },
  });

  beforeEach(async () => {
    await world.member(BOB, 'join');
    await world.member(ALICE!, 'join');
    await world.member(CAROL!, 'join', '!here');
    await world.device(ALICE!, 'ONE');
    await world.device(CAROL!, 'HERS');
  });

  it('tells each server that the lists of those it shares rooms with may be others, by a number that names none before it', async () => {
    expect(await world.told(await world.note(restoration()))).toEqual([[[B], outdated(ALICE!)]]);
  });

  it('is told so later to a server that was away, and to none that was not', async () => {
    const { position } = await world.note(restoration());
    expect(await world.missed(B!, position)).toEqual([outdated(ALICE!)]);
    expect(await world.missed(B!, (await world.member('@dave:a.example', 'join')).position)).toEqual([]);
  });

  it('of the log that this one is a copy of is none of this one', async () => {
    expect(await world.told(await world.note(restoration({ copied: true })))).toEqual([]);
  });
});

it('what is no change of keys, nor of members, is none of its business', async () => {
  const room = '!r' as RoomId;
  const pdu = { type: 'm.room.message', sender: ALICE, content: {} };
  const data = { event_id: '$x', room_version: '11', state: [], root: '', visibility: 'shared', pdu };
  const said = recordFacts([{ stream: `room-${room}`, type: 'pdu-accepted', data }])[0]!;
  expect(world.source.concerns(said)).toBe(false);
});
