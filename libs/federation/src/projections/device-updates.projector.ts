import type { DeviceRenamed, DevicesRemoved } from '#accounts/facts/session-facts';
import type { SignaturesAdded } from '#devices/facts/cross-signing-facts';
import { type DeviceKeysSummedUp, deviceOfDeviceStream } from '#devices/facts/device-key-facts';
import type { RecordedFact } from '#event-store/event-store';
import { LOG_RESTORED, restorationOf } from '#event-store/log-identity';
import type { DeviceId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { userIdOfStream } from '#kernel/user-stream';
import { asJson, asMark, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { Views } from '#projections/views';

/** What one fact makes others be told of devices: an update for each, numbered from `first` on. */
export interface DeviceUpdatesRow {
  readonly devices: readonly DeviceId[];
  readonly first: number;
  /** The number of the update before. */
  readonly previous: number;
}

/** Where a user stands: the number of the last update, and the fact of it. */
export interface DeviceListPlace {
  readonly stream_id: number;
  readonly position: Position;
}

export const DEVICE_UPDATES = new Collection<readonly [userId: UserId, position: Position], DeviceUpdatesRow>(
  'device-updates',
  {
    key: ['user', 'position'],
    says: 'which devices became others there, the number of the first update of these, and of the one before',
    codec: asJson(),
  },
);

export const DEVICE_LIST_PLACES = new Collection<readonly [userId: UserId], DeviceListPlace>('device-list-places', {
  key: ['user'],
  says: 'the number of the last update of a device, and its position',
  codec: asJson(),
});

/** The last restoration of the log: of a part that is lost other servers may have been told numbers that nobody here knows. */
export const DEVICE_LISTS_RESTORED = new Collection<readonly [of: 'log'], DeviceListPlace>('device-lists-restored', {
  key: ['log'],
  says: 'the number that lists of before the last restoration of the log have since, and its position',
  codec: asJson(),
});

/** A signature is over a device, or over a master key: so it is known which are devices. */
export const KEYED_DEVICES = new Collection<readonly [userId: UserId, deviceId: DeviceId], true>('keyed-devices', {
  key: ['user', 'device'],
  says: 'that it has keys',
  codec: asMark,
});

/** Before the first update of a user: what somebody is told who asks for the list then. */
const BEGINNING = 1;
/** Of each user so many facts are remembered: who missed more asks for the list. */
const REMEMBERED = 16;

/** The facts by which devices become others for other servers. A name is told to none of them, but that there is another one is. */
export const DEVICE_UPDATE_TYPES: ReadonlySet<string> = new Set([
  'device-keys-set',
  'device-renamed',
  'devices-removed',
  'signatures-added',
]);

/**
 * The numbers by which other servers are told what changes of devices of this server: server-server API, "Device Management". They are times,
 * in milliseconds since the epoch, or one more than the one before where that is later: so a number that a later one takes the place of,
 * because the views were made anew of a log of which the beginnings of streams had gone, is never told again. With a restoration of the log
 * each list has a new number, which names none before it: what is lost of the log may have numbers behind the last that is known.
 */
export const deviceUpdatesProjector: Projector = {
  name: 'device-updates',
  version: 3,
  // The beginning of the stream of a device has gone by then, and with it what its numbers were made of.
  showsGone: ({ type }) => type === 'device-keys-ended' || type === 'device-keys-summed-up',
  ...owning(DEVICE_UPDATES, DEVICE_LIST_PLACES, KEYED_DEVICES, DEVICE_LISTS_RESTORED),
  handles: (type) => DEVICE_UPDATE_TYPES.has(type) || HANDLED_BESIDES.has(type),
  project,
};

const HANDLED_BESIDES: ReadonlySet<string> = new Set(['device-keys-summed-up', LOG_RESTORED]);

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  switch (fact.type) {
    case LOG_RESTORED: {
      const { metadata, position } = fact;
      if (restorationOf(fact) !== undefined)
        DEVICE_LISTS_RESTORED.put(rows, ['log'], { stream_id: metadata.at, position });
      return;
    }
    case 'device-keys-summed-up': {
      const { device_keys: keys } = JSON.parse(fact.data) as DeviceKeysSummedUp; // written by devices
      if (keys !== undefined) KEYED_DEVICES.put(rows, deviceOfDeviceStream(fact.stream), true);
      return;
    }
    case 'device-keys-set': {
      const device = deviceOfDeviceStream(fact.stream);
      KEYED_DEVICES.put(rows, device, true);
      return note(rows, device[0], fact, [device[1]]);
    }
    case 'devices-removed': {
      const userId = userIdOfStream(fact.stream);
      const { device_ids: ids } = JSON.parse(fact.data) as DevicesRemoved; // written by accounts
      const known = await keyedOf(rows, userId, ids);
      await note(rows, userId, fact, known);
      for (const deviceId of known) KEYED_DEVICES.delete(rows, [userId, deviceId]);
      return;
    }
    case 'device-renamed': {
      const userId = userIdOfStream(fact.stream);
      const { device_id: deviceId } = JSON.parse(fact.data) as DeviceRenamed; // written by accounts
      return note(rows, userId, fact, await keyedOf(rows, userId, [deviceId]));
    }
    default: {
      const userId = userIdOfStream(fact.stream);
      const { signatures } = JSON.parse(fact.data) as SignaturesAdded; // written by devices
      const own = signatures.flatMap(({ user_id: of, target }) => (of === userId ? [target as DeviceId] : [])); // as far as it is one
      return note(rows, userId, fact, await keyedOf(rows, userId, own));
    }
  }
}

async function keyedOf(rows: OwnRows, userId: UserId, ids: readonly DeviceId[]): Promise<DeviceId[]> {
  const keyed: DeviceId[] = [];
  for (const deviceId of new Set(ids)) {
    if ((await KEYED_DEVICES.get(rows, [userId, deviceId])) !== undefined) keyed.push(deviceId);
  }
  return keyed;
}

async function note(
  rows: OwnRows,
  userId: UserId,
  { position, metadata }: RecordedFact,
  devices: readonly DeviceId[],
): Promise<void> {
  const before = await DEVICE_LIST_PLACES.get(rows, [userId]);
  if (devices.length === 0 || (before !== undefined && before.position >= position)) return;
  const { stream_id: previous } = await findDeviceListPlace(rows, userId);
  const first = Math.max(metadata.at, previous + 1);
  DEVICE_UPDATES.put(rows, [userId, position], { devices, first, previous });
  DEVICE_LIST_PLACES.put(rows, [userId], { stream_id: first + devices.length - 1, position });
  const remembered: Position[] = [];
  for await (const page of DEVICE_UPDATES.pages(rows, { prefix: [userId] })) {
    for (const { key } of page) remembered.push(key[1]);
  }
  for (const old of remembered.slice(0, -REMEMBERED)) DEVICE_UPDATES.delete(rows, [userId, old]);
}

/** The number up to which who reads the devices of a user after this has all updates. */
export async function findDeviceStreamId(views: Pick<Views, 'get'>, userId: UserId): Promise<number> {
  return (await findDeviceListPlace(views, userId)).stream_id;
}

/** The last number that a user's devices have, and up to where views must have come that show all updates up to it. */
export async function findDeviceListPlace(views: Pick<OwnRows, 'get'>, userId: UserId): Promise<DeviceListPlace> {
  const place = (await DEVICE_LIST_PLACES.get(views, [userId])) ?? { stream_id: BEGINNING, position: START };
  const restored = await DEVICE_LISTS_RESTORED.get(views, ['log']);
  if (restored === undefined || restored.position < place.position) return place;
  return { ...restored, stream_id: Math.max(restored.stream_id, place.stream_id + 1) };
}
