import type { NewFact } from '#event-store/event-store';
import type { JsonObject } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import type {
  RemoteDevice,
  RemoteDeviceFact,
  RemoteDevicesListed,
  RemoteDeviceUpdated,
  RemoteSigningKeys,
} from '../facts/remote-device-facts.js';

/** What is known of the devices of a user of another server: plain JSON, kept as a row too. */
export interface RemoteDevices extends RemoteSigningKeys {
  /** The stream ids up to which the list is told: that of the list, and of the updates after it, the newest last. */
  readonly stream_ids: readonly number[];
  readonly devices: readonly RemoteDevice[];
  /** How often something was missed since the list was asked for last: where that is so it is to be asked for anew. */
  readonly missed?: number;
}

/** All that is kept of one user: it is one row, and a list that is told whole one fact. */
export const MOST_LIST_BYTES = 400 * 1024;

/** So many stream ids are kept for what an update may name as the ones before it. */
const STREAM_IDS = 20;

const NOTHING_LISTED: RemoteDevices = Object.freeze({ stream_ids: [], devices: [] });

/** The list after a fact. */
export function evolveRemoteDevices(
  before: RemoteDevices | undefined,
  { type, data }: RemoteDeviceFact,
): RemoteDevices {
  const { stream_ids: ids, devices, ...known } = before ?? NOTHING_LISTED;
  switch (type) {
    case 'remote-devices-listed': {
      const { stream_id: id, devices: listed, missed } = data;
      return withKeys({ stream_ids: [id], devices: listed, ...(missed === undefined ? {} : { missed }) }, data);
    }
    case 'remote-device-updated': {
      const { stream_id: id, deleted, ...device } = data;
      const others = devices.filter(({ device_id: other }) => other !== device.device_id);
      const stream_ids = [...ids, id].slice(-STREAM_IDS);
      return { ...known, stream_ids, devices: deleted === true ? others : [...others, device] };
    }
    case 'remote-signing-keys-updated':
      return withKeys({ ...known, stream_ids: ids, devices }, data);
    case 'remote-devices-missed':
      return { ...known, stream_ids: ids, devices, missed: (known.missed ?? 0) + 1 };
    default:
      return { ...known, stream_ids: ids, devices };
  }
}

function withKeys(
  list: RemoteDevices,
  { master_key: master, self_signing_key: selfSigning }: RemoteSigningKeys,
): RemoteDevices {
  return {
    ...list,
    ...(master === undefined ? {} : { master_key: master }),
    ...(selfSigning === undefined ? {} : { self_signing_key: selfSigning }),
  };
}

/** The list as of a fact of its stream, as the log holds it. */
export function foldRemoteDeviceFact(
  list: RemoteDevices | undefined,
  { type, data }: NewFact,
): RemoteDevices | undefined {
  // Only this library writes to these streams: the data has the shape that RemoteDeviceFacts gives.
  return evolveRemoteDevices(list, { type, data: JSON.parse(data) as unknown } as RemoteDeviceFact);
}

/** An update as another server sent it. */
export interface DeviceUpdate {
  readonly update: RemoteDeviceUpdated;
  /** The stream ids of the updates just before it. */
  readonly previous: readonly number[];
}

/**
 * An update of one device (server-server API, "Device Management", `m.device_list_update`): applied where all that comes before it is
 * here, nothing where it is here itself, and else something was missed. An update that names none before it begins a list that nobody
 * here has: so it was missed too, and so is one with which the list would be too large: its server is asked what there is of it still.
 * It is asked, too, where an id that is not new says something else than the list: Dendrite counts from the devices that there are, so that
 * it tells that the newest is gone by an id that it has told already.
 * `isTracked`: all updates since the list was told have been sent to us.
 */
export function decideDeviceUpdate(
  list: RemoteDevices | undefined,
  { update, previous }: DeviceUpdate,
  isTracked: boolean,
): readonly RemoteDeviceFact[] {
  const missed: RemoteDeviceFact = { type: 'remote-devices-missed', data: { stream_id: update.stream_id } };
  if (list === undefined || list.missed !== undefined || !isTracked) return [missed];
  if (update.stream_id <= list.stream_ids[0]! || list.stream_ids.includes(update.stream_id)) {
    return isInList(list, update) ? [] : [missed];
  }
  const hasAll = previous.length > 0 && previous.every((id) => list.stream_ids.includes(id));
  const updated: RemoteDeviceFact = { type: 'remote-device-updated', data: update };
  return [hasAll && hasRoomFor(list, updated) ? updated : missed];
}

/** Whether an update says what is in the list. */
function isInList({ devices }: RemoteDevices, update: RemoteDeviceUpdated): boolean {
  const known = devices.find(({ device_id: id }) => id === update.device_id);
  if (known === undefined || update.deleted === true) return known === undefined && update.deleted === true;
  return isSame({ ...known, stream_id: update.stream_id }, { ...update });
}

/** Servers order the keys of one object otherwise in each place where they tell it. */
function isSame(one: JsonObject, other: JsonObject): boolean {
  return canonicalJson(one, { lenient: true }) === canonicalJson(other, { lenient: true });
}

/** Whether what comes of a fact is no more than may be kept of a user. */
function hasRoomFor(list: RemoteDevices, fact: RemoteDeviceFact): boolean {
  return Buffer.byteLength(JSON.stringify(evolveRemoteDevices(list, fact))) <= MOST_LIST_BYTES;
}

/**
 * Cross-signing keys that another server tells (`m.signing_key_update`). Nothing where no list is here: it will bring them. Missed where the
 * list would be too large with them, and where they are told again: so Dendrite says that something of the user was signed with them.
 */
export function decideSigningKeyUpdate(
  list: RemoteDevices | undefined,
  keys: RemoteSigningKeys,
): readonly RemoteDeviceFact[] {
  const { master_key: master, self_signing_key: selfSigning } = keys;
  if (list === undefined || (master === undefined && selfSigning === undefined)) return [];
  const isNew = (now: JsonObject | undefined, told: JsonObject | undefined): boolean =>
    told !== undefined && (now === undefined || !isSame(now, told));
  const missed: RemoteDeviceFact = { type: 'remote-devices-missed', data: {} };
  if (!isNew(list.master_key, master) && !isNew(list.self_signing_key, selfSigning)) {
    return list.missed === undefined ? [missed] : [];
  }
  const updated: RemoteDeviceFact = { type: 'remote-signing-keys-updated', data: keys };
  return [hasRoomFor(list, updated) ? updated : missed];
}

/** A list that another server told whole, after it was asked for while something had been missed so often. */
export function decideListed(
  list: RemoteDevices | undefined,
  listed: RemoteDevicesListed,
  missedBefore: number,
): readonly RemoteDeviceFact[] {
  const missed = (list?.missed ?? 0) - missedBefore;
  return [{ type: 'remote-devices-listed', data: missed > 0 ? { ...listed, missed } : listed }];
}
