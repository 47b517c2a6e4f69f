import type { DeviceId } from '#kernel/ids';
import type { PresenceChoice } from '../facts/presence-facts.js';

/** What a device says of itself: the states of today. */
export const DEVICE_STATES = ['offline', 'unavailable', 'online'] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];

/** The states of 2014/15. Today's have no word for two of them: see `shownState`. */
export const PRESENCE_STATES = [...DEVICE_STATES, 'free_for_chat', 'hidden'] as const;
export type PresenceState = DeviceState | PresenceChoice;

/** A device as far as presence knows it. Times are a stopwatch's. */
export interface DevicePresence {
  readonly said: DeviceState;
  /** What its event streams said last; undefined where none has said anything. */
  readonly streamSaid?: DeviceState;
  /** When a stream last said less than those before. */
  readonly loweredAt?: number;
  /** Until then no stream is believed that says less: several differ. */
  readonly steadyUntil?: number;
  /** How many event streams it has open. */
  readonly streams: number;
  /** When it was there last. */
  readonly contactAt: number;
  /** When somebody last did something with it. */
  readonly activeAt: number;
}

/** What is known of a user's presence. Times are a stopwatch's. */
export interface UserPresence {
  readonly devices: ReadonlyMap<DeviceId, DevicePresence>;
  /** When they last did something that others may know of. */
  readonly activeAt: number | undefined;
  readonly choice: PresenceChoice | undefined;
  readonly statusMsg: string | undefined;
}

/** The state of a user, all devices together. */
export interface SeenPresence {
  readonly state: PresenceState;
  /** They did something just now: until this is taken back nobody is told when they did something last. */
  readonly currentlyActive: boolean;
}

export const NO_PRESENCE: UserPresence = Object.freeze({
  devices: new Map<DeviceId, DevicePresence>(),
  activeAt: undefined,
  choice: undefined,
  statusMsg: undefined,
});

/** So long after a device's last event stream has ended it still counts as there: clients ask again. */
export const AWAY_MS = 30_000;
/** A device with which nobody has done anything for so long is idle (client-server API, "Idle timeout"). */
export const IDLE_MS = 5 * 60_000;
/** So long after they did something somebody is "currently active". */
export const ACTIVE_MS = 60_000;
/** A device that comes back sooner goes on where it was; later, its coming counts as something that its user did. */
export const GONE_MS = 10 * 60_000;
const MAX_DEVICES = 50;
const RANK: Readonly<Record<DeviceState, number>> = { offline: 0, unavailable: 1, online: 2 };

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
  state: PresenceState,
  statusMsg: string | undefined,
  now: number,
): UserPresence {
  const choice = state === 'hidden' || state === 'free_for_chat' ? state : undefined;
  const known = user.devices.get(id) ?? newDevice('online', now);
  const said = state === 'hidden' ? known.said : state === 'free_for_chat' ? 'online' : state;
  const before = stateOfDevice(known, now);
  const isActive = choice !== 'hidden' && (said === 'online' || RANK[said] > RANK[before]);
  const device: DevicePresence = { ...known, said, contactAt: now };
  return withDevice({ ...user, choice, statusMsg }, id, device, isActive ? now : undefined);
}

/** Devices are no more. */
export function removeDevices(user: UserPresence, ids: readonly DeviceId[]): UserPresence {
  const devices = new Map(user.devices);
  for (const id of ids) devices.delete(id);
  return { ...user, devices };
}

/** Without the devices that have been away for long. */
export function tidy(user: UserPresence, now: number): UserPresence {
  const gone = [...user.devices].filter(([, device]) => isGone(device, now)).map(([id]) => id);
  return gone.length === 0 ? user : removeDevices(user, gone);
}

/** The state of a user: that of the device that is there most. */
export function seenPresence(user: UserPresence, now: number): SeenPresence {
  if (user.choice === 'hidden') return { state: 'hidden', currentlyActive: false };
  let state: DeviceState = 'offline';
  for (const device of user.devices.values()) {
    const one = stateOfDevice(device, now);
    if (RANK[one] > RANK[state]) state = one;
  }
  const currentlyActive = state === 'online' && user.activeAt !== undefined && now - user.activeAt < ACTIVE_MS;
  return { state: state === 'online' ? (user.choice ?? state) : state, currentlyActive };
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

/**
 * What others see of a state, and oneself where `isOwn`, in the words of today (`today`) or of 2014/15. Who hides is offline to all
 * others, and to clients of today, which know no other word for it.
 */
export function shownState(state: PresenceState, isOwn: boolean, form: 'today' | 'v1'): PresenceState {
  if (state === 'hidden') return isOwn && form === 'v1' ? state : 'offline';
  return state === 'free_for_chat' && form === 'today' ? 'online' : state;
}

function newDevice(said: DeviceState, now: number, streamSaid?: DeviceState): DevicePresence {
  return { said, ...(streamSaid === undefined ? {} : { streamSaid }), streams: 0, contactAt: now, activeAt: -Infinity };
}

/** A device of which a stream says something. */
function withSaid(device: DevicePresence, said: DeviceState | undefined, now: number): DevicePresence {
  if (said === undefined || said === device.streamSaid) return device;
  // A stream that says `offline` takes back what streams said before, and not what was set.
  if (said === 'offline' && device.streamSaid === undefined) return { ...device, streamSaid: said };
  const { loweredAt = -Infinity, steadyUntil = -Infinity } = device;
  if (RANK[said] >= RANK[device.said]) {
    const differ = now - loweredAt < AWAY_MS;
    return { ...device, said, streamSaid: said, ...(differ ? { steadyUntil: now + GONE_MS } : {}) };
  }
  return now < steadyUntil ? device : { ...device, said, streamSaid: said, loweredAt: now };
}

function stateOfDevice(device: DevicePresence, now: number): DeviceState {
  if (device.streams === 0 && now - device.contactAt >= AWAY_MS) return 'offline';
  return device.said === 'online' && now - device.activeAt >= IDLE_MS ? 'unavailable' : device.said;
}

function isGone({ streams, contactAt }: DevicePresence, now: number): boolean {
  return streams === 0 && now - contactAt >= GONE_MS;
}

function withDevice(user: UserPresence, id: DeviceId, device: DevicePresence, activeAt?: number): UserPresence {
  const devices = new Map(user.devices);
  devices.set(id, activeAt === undefined ? device : { ...device, activeAt });
  if (devices.size > MAX_DEVICES) devices.delete(stalest(devices, id));
  if (activeAt === undefined || user.choice === 'hidden') return { ...user, devices };
  return { ...user, devices, activeAt };
}

function stalest(devices: ReadonlyMap<DeviceId, DevicePresence>, but: DeviceId): DeviceId {
  const others = [...devices].filter(([id]) => id !== but);
  const [first] = others.toSorted(([, a], [, b]) => a.streams - b.streams || a.contactAt - b.contactAt);
  return first?.[0] ?? but;
}
