import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DeviceId, type RoomId, serverNameOf, type ServerName, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { MissedDevices } from '#processes/device-lists/missed-devices.effect';
import { SERVER_LOG } from '#rooms/projections/server-log';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { applyFacts } from '#testing/project';
import type { DevicePeers } from '../device-peers.js';
import { keyChangeOf } from '../facts/key-changes.js';
import { LISTED_ROOMS } from '../projections/device-lists.projector.js';
import { remoteDevicesProjector } from '../projections/remote-devices.projector.js';
import { RemoteKeys } from '../queries/remote-keys.js';
import { RoomMates } from '../queries/room-mates.js';
import { RemoteDeviceLists } from '../remote-device-lists.js';
import { ResyncRemoteDevices } from '../resync-remote-devices.js';
import { ReceiveDeviceLists } from './receive-device-lists.js';

const OURS = 'a.example' as ServerName;
const ALICE = '@alice:a.example' as UserId;
const BOB = '@bob:b.example' as UserId;
const ROOM = '!room:a.example' as RoomId;

/** Bob's server: what it would answer, and the updates that it sends. */
class Peer implements Pick<DevicePeers, 'list'> {
  readonly devices = new Map<string, JsonObject>();
  streamId = 1;
  isAway = false;
  asked = 0;
  /** Called while an answer is on its way. */
  meanwhile: () => Promise<unknown> = async () => {};

  async list(userId: UserId): Promise<JsonObject> {
    this.asked++;
    if (this.isAway) throw new PeerUnavailable('away');
    const devices = [...this.devices].map(([id, keys]) => ({ device_id: id, keys }));
    const answer = { user_id: userId, stream_id: this.streamId, devices };
    const { meanwhile } = this;
    this.meanwhile = async () => {};
    await meanwhile();
    return answer;
  }

  /** Changes, adds or removes a device; answers the update that tells it. */
  change(id: string, isRemoved: boolean): JsonObject {
    const before = this.streamId++;
    const update = { user_id: BOB, device_id: id, stream_id: this.streamId, prev_id: [before] };
    if (isRemoved) {
      this.devices.delete(id);
      return { ...update, deleted: true };
    }
    const keys = { user_id: BOB, device_id: id, keys: { 'ed25519:x': `key ${this.streamId}` } };
    this.devices.set(id, keys);
    return { ...update, keys };
  }
}

/** Our server, over a log and rows in memory. */
class World {
  readonly log = new MemoryEventStore();
  readonly readModels = new MemoryReadModels();
  readonly peer = new Peer();
  readonly receive: ReceiveDeviceLists;
  readonly resync: ResyncRemoteDevices;
  readonly keys: RemoteKeys;
  readonly #effect: MissedDevices;
  #projected = 0;
  #done = 0;
  now = 0;

  constructor() {
    const { get, getMany, scan } = this.readModels;
    const rows = {
      get: get.bind(this.readModels),
      getMany: getMany.bind(this.readModels),
      scan: scan.bind(this.readModels),
    };
    const views = { ...rows, whenProcessed: () => this.#project() } as unknown as Views; // all that is ever asked of it
    const config = { serverName: OURS };
    const clock = { now: () => this.now, elapsed: () => this.now };
    const lists = new RemoteDeviceLists(this.log, clock, views);
    this.receive = new ReceiveDeviceLists(lists, views, config);
    this.resync = new ResyncRemoteDevices(lists, this.peer, views, { isWriter: true }, clock);
    this.keys = new RemoteKeys(this.resync, views, config as never);
    this.#effect = new MissedDevices(lists, this.resync);
  }

  async share(isShared: boolean): Promise<void> {
    const position = (await this.log.head()) as Position;
    const writes: Parameters<MemoryReadModels['write']>[0][number][] = [];
    const rows = {
      put: (collection: string, key: readonly string[], value: string) => writes.push({ collection, key, value }),
    };
    LISTED_ROOMS.put(rows as never, [BOB, ROOM], { joined: isShared, position });
    LISTED_ROOMS.put(rows as never, [ALICE, ROOM], { joined: true, position: positionOf(0) });
    SERVER_LOG.put(rows as never, [ROOM, OURS, positionOf(0)], { joined: 1, invited: 0 });
    await this.readModels.write(writes);
  }

  /** The devices of Bob as Alice is shown them; undefined where his server did not answer. */
  async seen(): Promise<Map<DeviceId, JsonObject> | undefined> {
    const mates = new RoomMates({} as Views, ALICE, new Set());
    const reader = { reader: ALICE, ofReader: {}, mates: Object.assign(mates, { has: async () => false }) };
    const { keys, hasFailed } = await this.keys.read(BOB, [], reader);
    return hasFailed
      ? undefined
      : new Map([...(keys?.devices ?? [])].map(([id, { unsigned: _unsigned, ...rest }]) => [id, rest]));
  }

  /** Does what follows from the facts, as the server would. */
  async follow(): Promise<void> {
    for (; this.#done < this.log.facts.length; this.#done++) {
      const fact = this.log.facts[this.#done]!;
      if (this.#effect.keyOf(fact) !== undefined) await this.#effect.run(fact);
    }
  }

  async #project(): Promise<void> {
    const fresh = this.log.facts.slice(this.#projected);
    this.#projected = this.log.facts.length;
    await applyFacts(remoteDevicesProjector, fresh, this.readModels);
  }
}

/** A world without the truncation of streams, in which facts are counted from the first on. */
function newWorld(): World {
  const world = new World();
  world.log.truncate = async () => {};
  return world;
}

describe('the devices of a user of another server', () => {
  it('are asked for once, and kept up to date by the updates that follow', async () => {
    const world = newWorld();
    const { peer } = world;
    await world.share(true);
    peer.change('A', false);
    expect(await world.seen()).toEqual(peer.devices);
    expect(await world.receive.update('b.example' as ServerName, peer.change('B', false))).toBe(true);
    expect(await world.receive.update('b.example' as ServerName, peer.change('A', true))).toBe(true);
    expect(await world.seen()).toEqual(peer.devices);
    expect(peer.asked).toBe(1);
    expect(world.log.facts.map(keyChangeOf)).toEqual(world.log.facts.map(() => ({ userId: BOB })));
  });

  it('are told by their own server alone, and of users alone who share a room with somebody here', async () => {
    const world = newWorld();
    const update = world.peer.change('A', false);
    expect(await world.receive.update('b.example' as ServerName, update)).toBe(false);
    await world.share(true);
    expect(await world.receive.update('c.example' as ServerName, update)).toBe(false);
    // What would come of it where it is heard: nobody tells us of our own.
    expect(await world.receive.update(OURS, { ...update, user_id: ALICE, prev_id: [] })).toBe(false);
    expect(await world.receive.updateSigningKeys(OURS, { user_id: ALICE })).toBe(false);
    for (const odd of [{}, { ...update, stream_id: 'x' }, { ...update, device_id: 1 }, { ...update, prev_id: 1 }]) {
      expect(await world.receive.update('b.example' as ServerName, odd)).toBe(false);
    }
    expect(world.log.facts).toEqual([]);
  });

  it('are asked for each time where nobody here shares a room with them, and not kept', async () => {
    const world = newWorld();
    world.peer.change('A', false);
    expect(await world.seen()).toEqual(world.peer.devices);
    world.peer.change('A', false);
    expect(await world.seen()).toEqual(world.peer.devices);
    expect([world.peer.asked, world.log.facts.length]).toEqual([2, 0]);
  });

  it('are old until their server answers again, which is asked ever more rarely and for ever', async () => {
    const world = newWorld();
    const { peer } = world;
    await world.share(true);
    await world.seen();
    peer.change('A', false);
    peer.isAway = true;
    await world.receive.update(serverNameOf(BOB), peer.change('B', false));
    await world.follow();
    const asked: number[] = [];
    for (let hour = 0; hour < 24; hour++) {
      const before = peer.asked;
      for (let i = 0; i < 120; i++) {
        world.now += 30_000;
        await world.resync.sweep();
      }
      asked.push(peer.asked - before);
    }
    expect(asked[0]).toBeGreaterThan(3);
    expect(asked.slice(4).every((times) => times === 1)).toBe(true);
    expect(await world.seen()).toBeUndefined();
    peer.isAway = false;
    world.now += 60 * 60_000;
    await world.resync.sweep();
    const before = peer.asked;
    expect(await world.seen()).toEqual(peer.devices);
    expect(peer.asked).toBe(before);
  });

  it('are asked for once more where an update came while they were on their way', async () => {
    const world = newWorld();
    const { peer } = world;
    await world.share(true);
    peer.meanwhile = () => world.receive.update(serverNameOf(BOB), peer.change('A', false));
    await world.seen();
    await world.follow();
    expect(await world.seen()).toEqual(peer.devices);
    expect(peer.asked).toBe(2);
  });

  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        change: fc.constantFrom('A', 'B', 'C'),
        removed: fc.boolean(),
        fate: fc.constantFrom('told', 'told', 'lost', 'twice', 'late', 'crossing'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ ask: fc.constant(true) }) },
    { weight: 1, arbitrary: fc.record({ away: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ shared: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ pass: fc.nat(120) }) },
  );

  it('are those of their server once it is heard again, whatever was lost, late, told twice or not told meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const world = newWorld();
        const { peer } = world;
        let shared = true;
        const late: JsonObject[] = [];
        await world.share(true);
        const tell = (update: JsonObject): Promise<boolean> => world.receive.update(serverNameOf(BOB), update);
        for (const one of steps) {
          if ('change' in one) {
            const update = peer.change(one.change, one.removed);
            if (!shared || one.fate === 'lost') continue;
            if (one.fate === 'late') late.push(update);
            else if (one.fate === 'crossing') peer.meanwhile = () => tell(update);
            else {
              await tell(update);
              if (one.fate === 'twice') await tell(update);
              for (const old of late.splice(0)) await tell(old);
            }
          } else if ('ask' in one) await world.seen();
          else if ('away' in one) peer.isAway = one.away;
          else if ('shared' in one) {
            // Something is in the log between: joining again comes behind what was told before.
            if (shared !== one.shared) await world.log.append(`x-${Math.random()}`, 'no-stream', [noise()]);
            shared = one.shared;
            await world.share(shared);
          } else {
            world.now += one.pass * 60_000;
            await world.resync.sweep();
          }
          await world.follow();
        }
        peer.isAway = false;
        if (!shared) await world.log.append('x-last', 'no-stream', [noise()]);
        if (!shared) await world.share(true);
        world.now += 2 * 60 * 60_000;
        await tell(peer.change('D', false));
        await world.follow();
        expect(await world.seen()).toEqual(peer.devices);
        await world.follow();
        expect(await world.seen()).toEqual(peer.devices);
        const asked = peer.asked;
        await tell(peer.change('A', false));
        expect(await world.seen()).toEqual(peer.devices);
        expect(peer.asked).toBe(asked);
      }),
      { numRuns: 300 },
    );
  });
});

function noise(): Parameters<MemoryEventStore['append']>[2][number] {
  return {
    id: String(Math.random()),
    type: 'noise',
    data: '{}',
    metadata: { at: 0, actor: 'x', schema: 1, chain: '' },
  };
}
