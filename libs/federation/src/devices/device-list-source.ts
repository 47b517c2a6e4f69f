import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { CrossSigningKeysSet, SignaturesAdded } from '#devices/facts/cross-signing-facts';
import { keyChangeOf } from '#devices/facts/key-changes';
import { KEY_CHANGES, LISTED_MOVES, LISTED_ROOMS } from '#devices/projections/device-lists.projector';
import { readKeysForServer } from '#devices/queries/keys-for-servers';
import type { RecordedFact } from '#event-store/event-store';
import { LOG_RESTORED, restorationOf } from '#event-store/log-identity';
import { type DeviceId, isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { contentOf } from '#rooms/facts/pdu-fields';
import { type PduAccepted, roomIdOfStream } from '#rooms/facts/room-facts';
import { MEMBERSHIP_LOG } from '#rooms/projections/membership-log';
import { listJoinedRooms } from '#rooms/queries/list-user-rooms';
import {
  DEVICE_LIST_PLACES,
  DEVICE_LISTS_RESTORED,
  DEVICE_UPDATE_TYPES,
  DEVICE_UPDATES,
  type DeviceUpdatesRow,
  findDeviceStreamId,
} from '../projections/device-updates.projector.js';
import type { AddressedEdu, Edu, EduSource } from '../sending/edu-source.js';
import { mayMoveMembers } from '../sending/known-servers.js';
import { roomsActiveSince } from '../sending/rooms-active-since.js';
import { ServersInRooms } from '../sending/servers-in-rooms.js';
import { ServersSharing } from './servers-sharing.js';

/**
 * What changes of the devices and cross-signing keys of our users, for the servers that share a room with them: server-server API, "Device
 * Management", "End-to-End Encryption". What is told is as it is now. Who comes to share a room is told that what it may know is old,
 * and so is everybody after a restoration of the log, for they may know what is lost.
 */
@Injectable()
export class DeviceListSource implements EduSource {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly servers: ServersInRooms,
    private readonly sharing: ServersSharing,
  ) {}

  concerns(fact: RecordedFact): boolean {
    if (DEVICE_UPDATE_TYPES.has(fact.type) || ALSO_TOLD.has(fact.type)) return true;
    return mayMoveMembers(fact) && fact.type === 'pdu-accepted';
  }

  async edusOf(fact: RecordedFact): Promise<readonly AddressedEdu[]> {
    if (fact.type === 'pdu-accepted') return this.#edusOfJoin(fact);
    if (fact.type === LOG_RESTORED) return restorationOf(fact) === undefined ? [] : this.#edusOfRestoration();
    const { userId } = keyChangeOf(fact) ?? {};
    if (userId === undefined || !this.#isOurs(userId)) return [];
    const destinations = await this.sharing.of(userId);
    if (destinations.size === 0) return [];
    const row = await DEVICE_UPDATES.get(this.views, [userId, fact.position]);
    const updates = row === undefined ? [] : await this.#updates(userId, row);
    const keys = changesSigningKeys(fact, userId, row) ? await this.#signingKeys(userId) : [];
    return [...keys, ...updates].map((edu) => ({ destinations, edu }));
  }

  async *missedBy(destination: ServerName, since: Position): AsyncGenerator<readonly Edu[]> {
    const rooms = new Set(await this.servers.roomsOf(destination));
    if (rooms.size === 0) return;
    const restored = await DEVICE_LISTS_RESTORED.get(this.views, ['log']);
    if (restored !== undefined && restored.position >= since) yield* this.#missedOfRestoration(rooms);
    for await (const page of KEY_CHANGES.pages(this.views, { from: [since] })) {
      for (const { value: userId } of page) {
        if (!this.#isOurs(userId)) continue;
        if (!(await this.#isInOneOf(rooms, userId))) continue;
        yield await this.#missedOf(userId, since);
      }
    }
    yield* this.#missedOfJoins(rooms, since);
  }

  /** As `#edusOfRestoration`, for one server. */
  async *#missedOfRestoration(rooms: ReadonlySet<RoomId>): AsyncGenerator<readonly Edu[]> {
    for await (const page of DEVICE_LIST_PLACES.pages(this.views, {})) {
      for (const { key } of page) {
        if (!(await this.#isInOneOf(rooms, key[0]))) continue;
        const edu = await this.#outdated(key[0]);
        if (edu !== undefined) yield [edu];
      }
    }
  }

  async #isInOneOf(rooms: ReadonlySet<RoomId>, userId: UserId): Promise<boolean> {
    return (await listJoinedRooms(this.views, userId)).some((roomId) => rooms.has(roomId));
  }

  /** As `#edusOfJoin`, of those who joined rooms of a server that was away, and are in them still. */
  async *#missedOfJoins(rooms: ReadonlySet<RoomId>, since: Position): AsyncGenerator<readonly Edu[]> {
    const joined = new Set<UserId>();
    for await (const roomId of roomsActiveSince(this.views, [...rooms], since)) {
      const range = { prefix: [roomId], from: [roomId, since, NOBODY] } as const;
      for await (const page of LISTED_MOVES.pages(this.views, range)) {
        for (const { key, value } of page) if (value === 'join' && this.#isOurs(key[2])) joined.add(key[2]);
      }
    }
    for (const userId of joined) {
      if (await this.#hasBeenWith(userId, rooms, since)) continue;
      const edu = await this.#outdated(userId);
      if (edu !== undefined) yield [edu];
    }
  }

  /** Whether a user is in one of some rooms since before a fact. */
  async #hasBeenWith(userId: UserId, rooms: ReadonlySet<RoomId>, since: Position): Promise<boolean> {
    const shared = (await listJoinedRooms(this.views, userId)).filter((roomId) => rooms.has(roomId));
    const rows = await LISTED_ROOMS.getMany(
      this.views,
      shared.map((roomId) => [userId, roomId]),
    );
    return rows.some((row) => row?.joined === true && row.position < since);
  }

  async #missedOf(userId: UserId, since: Position): Promise<readonly Edu[]> {
    const edus = await this.#signingKeys(userId);
    for await (const page of DEVICE_UPDATES.pages(this.views, { prefix: [userId], from: [userId, since] })) {
      for (const { value } of page) edus.push(...(await this.#updates(userId, value)));
    }
    return edus;
  }

  /** A user of ours joins servers that nothing has told what changed of their devices. */
  async #edusOfJoin(fact: RecordedFact): Promise<readonly AddressedEdu[]> {
    const { pdu } = JSON.parse(fact.data) as PduAccepted; // written by the room's worker
    const userId = pdu['state_key'];
    if (pdu['type'] !== 'm.room.member' || contentOf(pdu)['membership'] !== 'join') return [];
    if (typeof userId !== 'string' || !isUserId(userId) || !this.#isOurs(userId)) return [];
    const roomId = roomIdOfStream(fact.stream);
    if (await this.#wasIn(roomId, userId, fact.position)) return [];
    const [here, before] = [await this.servers.of(roomId), await this.sharing.of(userId, roomId)];
    const destinations = [...here].filter((server) => !before.has(server));
    if (destinations.length === 0) return [];
    const edu = await this.#outdated(userId);
    return edu === undefined ? [] : [{ destinations, edu }];
  }

  /** Others may have been told of devices that the log knows no more. Who has none now is told of with the next one. */
  async #edusOfRestoration(): Promise<readonly AddressedEdu[]> {
    const told: AddressedEdu[] = [];
    for await (const page of DEVICE_LIST_PLACES.pages(this.views, {})) {
      for (const { key } of page) {
        const destinations = await this.sharing.of(key[0]);
        const edu = destinations.size === 0 ? undefined : await this.#outdated(key[0]);
        if (edu !== undefined) told.push({ destinations, edu });
      }
    }
    return told;
  }

  /** Whether a user was in a room right before a fact: who has another name or picture there joins nobody. */
  async #wasIn(roomId: RoomId, userId: UserId, position: Position): Promise<boolean> {
    const range = { prefix: [roomId, userId], before: [roomId, userId, position], reverse: true, limit: 1 } as const;
    const [last] = await MEMBERSHIP_LOG.scan(this.views, range);
    return last?.value.membership === 'join';
  }

  /** An update that names none before it: whoever knows a list asks for it anew. */
  async #outdated(userId: UserId): Promise<Edu | undefined> {
    const streamId = await findDeviceStreamId(this.views, userId);
    const { devices } = await readKeysForServer(this.views, this.config.serverName, userId);
    for (const [deviceId, keys] of devices) return updateOf(userId, deviceId, keys, streamId, []);
    return undefined;
  }

  async #updates(userId: UserId, { devices, first, previous }: DeviceUpdatesRow): Promise<Edu[]> {
    const { devices: now } = await readKeysForServer(this.views, this.config.serverName, userId, devices);
    return devices.map((deviceId, i) =>
      updateOf(userId, deviceId, now.get(deviceId), first + i, [i === 0 ? previous : first + i - 1]),
    );
  }

  async #signingKeys(userId: UserId): Promise<Edu[]> {
    const { crossSigning } = await readKeysForServer(this.views, this.config.serverName, userId, NO_DEVICE);
    const { master, self_signing } = crossSigning;
    if (master === undefined && self_signing === undefined) return [];
    const keys = {
      ...(master === undefined ? {} : { master_key: master }),
      ...(self_signing === undefined ? {} : { self_signing_key: self_signing }),
    };
    return [{ edu_type: 'm.signing_key_update', content: { user_id: userId, ...keys } }];
  }

  #isOurs(userId: UserId): boolean {
    return serverNameOf(userId) === this.config.serverName;
  }
}

/** Facts that are told of and give devices no number. */
const ALSO_TOLD: ReadonlySet<string> = new Set(['cross-signing-keys-set', LOG_RESTORED]);
/** Before all users. */
const NOBODY = '' as UserId;
/** Where no device is asked for: no list of none, which would be all. */
const NO_DEVICE = ['' as DeviceId];

/** Without keys it is gone. */
function updateOf(
  userId: UserId,
  deviceId: DeviceId,
  keys: JsonObject | undefined,
  streamId: number,
  previous: readonly number[],
): Edu {
  const { unsigned: _unsigned, ...told } = keys ?? {};
  const state = keys === undefined ? { deleted: true } : { keys: told };
  const content = { user_id: userId, device_id: deviceId, stream_id: streamId, prev_id: previous, ...state };
  return { edu_type: 'm.device_list_update', content };
}

/** Whether a fact makes the cross-signing keys others that everybody is shown, or signs them. */
function changesSigningKeys({ type, data }: RecordedFact, userId: UserId, row: DeviceUpdatesRow | undefined): boolean {
  if (type === 'cross-signing-keys-set') {
    const { master, self_signing } = JSON.parse(data) as CrossSigningKeysSet; // written by devices
    return master !== undefined || self_signing !== undefined;
  }
  if (type !== 'signatures-added') return false;
  const { signatures } = JSON.parse(data) as SignaturesAdded; // written by devices
  const devices = new Set<string>(row?.devices);
  return signatures.some(({ user_id: of, target }) => of === userId && !devices.has(target));
}
