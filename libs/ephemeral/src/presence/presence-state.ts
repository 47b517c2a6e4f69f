import type { DeviceId } from '#kernel/ids';
import type { PresenceChoice } from '../facts/presence-facts.js';
import { type DeviceState, type PresenceState, RANK, type SaidState } from './availability.js';
import {
  AWAY_MS,
  type DevicePresence,
  GONE_MS,
  IDLE_MS,
  isGone,
  newDevice,
  stalest,
  stateOfDevice,
  withSaid,
} from './device-presence.js';

/** What is known of a user's presence. Times are a stopwatch's. */
export interface UserPresence {
  readonly devices: ReadonlyMap<DeviceId, DevicePresence>;
  /** When they last did something that others may know of. */
  readonly activeAt: number | undefined;
  readonly choice: PresenceChoice | undefined;
  /** What they said instead of a known state, and that one, which stands for it. */
  readonly word: { readonly name: string; readonly for: PresenceState } | undefined;
  readonly statusMsg: string | undefined;
  /** Of what kind devices are: a phone, on which long answers are not to be expected. */
  readonly deviceTypes: ReadonlyMap<DeviceId, string>;
}

/** The state of a user, all devices together. */
export interface SeenPresence {
  readonly state: PresenceState;
  /** They did something just now: until this is taken back nobody is told when they did something last. */
  readonly currentlyActive: boolean;
  /** What they said instead of the state, which stands for it. */
  readonly word: string | undefined;
  /** The kind of the device with which they are there. */
  readonly deviceType: string | undefined;
}

export const NO_PRESENCE: UserPresence = Object.freeze({
  devices: new Map<DeviceId, DevicePresence>(),
  activeAt: undefined,
  choice: undefined,
  word: undefined,
  statusMsg: undefined,
  deviceTypes: new Map<DeviceId, string>(),
});

/** So long after they did something somebody is "currently active". */
export const ACTIVE_MS = 60_000;
const MAX_DEVICES = 50;
/** What is chosen for all devices at once, and said by none of them. */
const CHOICES: ReadonlySet<PresenceState> = new Set<PresenceChoice>([
  'free_for_chat',
  'busy',
  'do_not_disturb',
  'hidden',
]);

/**
 * An event stream of a device begins (`said` undefined: it says nothing of presence, as those of 2014/15). What it says counts
 * where it is something else than the last one said, so what somebody sets explicitly lasts while their client goes on asking as before.
 * One that says `offline` does not make the device be there: client-server API, GET /sync, `set_presence`. Some clients have several
 * streams that say different things: once that is seen, the one that says most counts.
 */
export function connect(user: UserPresence, id: DeviceId, said: DeviceState | undefined, now: number): UserPresence {
  const known = user.devices.get(id);
  const before = known === undefined || isGone(known, now) ? undefined : known;
  const device = before === undefined ? newDevice(said ?? 'online', now, said) : withSaid(before, said, now);
  const isRaised = before === undefined || (device.said !== before.said && stateOfDevice(before, now) !== 'online');
  const counts = said !== 'offline';
  const connected: DevicePresence = {
    ...device,
    streams: device.streams + Number(counts),
    contactAt: counts || device.said === 'offline' ? now : device.contactAt,
  };
  return withDevice(user, id, connected, isRaised && device.said === 'online' ? now : undefined);
}

/** An event stream of a device ends that made it be there. */
export function disconnect(user: UserPresence, id: DeviceId, now: number): UserPresence {
  const device = user.devices.get(id);
  if (device === undefined || device.streams === 0) return user;
  return withDevice(user, id, { ...device, streams: device.streams - 1, contactAt: now });
}

/**
 * Somebody does something with a device: they are not idle any more. Nobody hears of what is done by who hides, or with a device that
 * says it is not there.
 */
export function act(user: UserPresence, id: DeviceId, now: number): UserPresence {
  if (user.choice === 'hidden') return user;
  const known = user.devices.get(id);
  if (known === undefined || isGone(known, now)) return { ...user, activeAt: now };
  return known.said === 'offline' ? user : withDevice(user, id, { ...known, said: 'online' }, now);
}

/** Somebody sets their presence, and the message beside it, on a device: PUT /presence/{userId}/status. */
export function choose(
  user: UserPresence,
  id: DeviceId,
  { state, word }: SaidState,
  statusMsg: string | undefined,
  now: number,
): UserPresence {
  const choice = isChoice(state) ? state : undefined;
  const known = user.devices.get(id) ?? newDevice('online', now);
  const said = isDeviceState(state) ? state : state === 'hidden' ? known.said : 'online';
  const before = stateOfDevice(known, now);
  // From a lower to a higher level of availability counts as an action; who says that they are there does something by it.
  const isActive = state !== 'hidden' && (RANK[state] >= RANK.online || RANK[state] > RANK[before]);
  const device: DevicePresence = { ...known, said, contactAt: now };
  const exact = word === undefined ? undefined : { name: word, for: state };
  return withDevice({ ...user, choice, statusMsg, word: exact }, id, device, isActive ? now : undefined);
}

/** What a device's client says of the device. */
export interface DeviceReport {
  readonly idleMs?: number;
  /** Its kind; '' takes back what was said. */
  readonly type?: string;
}

/** A device's client says something of it; what is undefined stays as it was. */
export function noteReport(
  user: UserPresence,
  id: DeviceId,
  { idleMs, type }: DeviceReport,
  now: number,
): UserPresence {
  const typed = type === undefined ? user : setDeviceType(user, id, type === '' ? undefined : type);
  return idleMs === undefined ? typed : reportIdle(typed, id, idleMs, now);
}

/**
 * A device's client says that nobody has done anything with it for so long; 0: somebody does just now. "Maintained individually by the user's
 * clients": what counts of several is the latest that somebody did.
 */
export function reportIdle(user: UserPresence, id: DeviceId, idleMs: number, now: number): UserPresence {
  if (idleMs === 0) return act(user, id, now);
  const known = user.devices.get(id);
  if (known === undefined || isGone(known, now)) return user;
  const activeAt = now - idleMs;
  const devices = new Map(user.devices).set(id, { ...known, activeAt, isIdle: true, contactAt: now });
  if (user.choice === 'hidden' || known.said === 'offline') return { ...user, devices };
  return { ...user, devices, activeAt: Math.max(activeAt, user.activeAt ?? -Infinity) };
}

/** A device's client says of what kind it is. */
export function setDeviceType(user: UserPresence, id: DeviceId, type: string | undefined): UserPresence {
  const deviceTypes = new Map(user.deviceTypes);
  deviceTypes.delete(id);
  if (type !== undefined) deviceTypes.set(id, type);
  const [oldest] = deviceTypes.size > MAX_DEVICES ? deviceTypes.keys() : [];
  if (oldest !== undefined) deviceTypes.delete(oldest);
  return { ...user, deviceTypes };
}

/** Devices are no more. */
export function removeDevices(user: UserPresence, ids: readonly DeviceId[]): UserPresence {
  const deviceTypes = new Map(user.deviceTypes);
  for (const id of ids) deviceTypes.delete(id);
  return { ...withoutDevices(user, ids), deviceTypes };
}

/** Without the devices that have been away for long. */
export function tidy(user: UserPresence, now: number): UserPresence {
  const gone = [...user.devices].filter(([, device]) => isGone(device, now)).map(([id]) => id);
  return gone.length === 0 ? user : withoutDevices(user, gone);
}

/**
 * The state of a user: that of the device that is there most, or where they are there what they chose: `free_for_chat` while they are online, and
 * what is less than that also while they do nothing.
 */
export function seenPresence(user: UserPresence, now: number): SeenPresence {
  const { choice } = user;
  if (choice === 'hidden')
    return { state: choice, currentlyActive: false, word: wordFor(user, choice), deviceType: undefined };
  let there: DeviceState = 'offline';
  let by: DeviceId | undefined;
  let byActiveAt = -Infinity;
  for (const [id, device] of user.devices) {
    const one = stateOfDevice(device, now);
    if (RANK[one] < RANK[there] || (one === there && device.activeAt < byActiveAt)) continue;
    [there, by, byActiveAt] = [one, id, device.activeAt];
  }
  const currentlyActive = there === 'online' && user.activeAt !== undefined && now - user.activeAt < ACTIVE_MS;
  const counts = choice !== undefined && there !== 'offline' && (there === 'online' || RANK[choice] < RANK.online);
  const state = counts ? choice : there;
  const deviceType = by === undefined || there === 'offline' ? undefined : user.deviceTypes.get(by);
  return { state, currentlyActive, word: wordFor(user, state), deviceType };
}

/** When `seenPresence` may next become something else although nothing happens, or a device be gone; Infinity: never. */
export function nextChange(user: UserPresence, now: number): number {
  let next = Infinity;
  const at = (time: number): void => {
    if (time > now && time < next) next = time;
  };
  for (const { streams, contactAt, activeAt, said } of user.devices.values()) {
    if (streams === 0) {
      at(contactAt + AWAY_MS);
      at(contactAt + GONE_MS);
    }
    if (said === 'online') at(activeAt + IDLE_MS);
  }
  if (user.activeAt !== undefined) at(user.activeAt + ACTIVE_MS);
  return next;
}

/** Whether a device of theirs is there, or was a moment ago. */
export function isThere({ devices }: UserPresence, now: number): boolean {
  return [...devices.values()].some((device) => device.said !== 'offline' && !isGone(device, now));
}

function withDevice(user: UserPresence, id: DeviceId, device: DevicePresence, activeAt?: number): UserPresence {
  const devices = new Map(user.devices);
  devices.set(id, activeAt === undefined ? device : { ...device, activeAt, isIdle: undefined });
  if (devices.size > MAX_DEVICES) devices.delete(stalest(devices, id));
  if (activeAt === undefined || user.choice === 'hidden') return { ...user, devices };
  return { ...user, devices, activeAt };
}

function withoutDevices(user: UserPresence, ids: readonly DeviceId[]): UserPresence {
  const devices = new Map(user.devices);
  for (const id of ids) devices.delete(id);
  return { ...user, devices };
}

/** What they said, as long as they are seen in the state that stands for it. */
function wordFor({ word }: UserPresence, state: PresenceState): string | undefined {
  return word?.for === state ? word.name : undefined;
}

function isChoice(state: PresenceState): state is PresenceChoice {
  return CHOICES.has(state);
}

function isDeviceState(state: PresenceState): state is DeviceState {
  return !CHOICES.has(state);
}
