import type { DeviceId } from '#kernel/ids';
import { type DeviceState, RANK } from './availability.js';

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
  /** Its client says that nobody has since. */
  readonly isIdle?: true;
}

/** So long after a device's last event stream has ended it still counts as there: clients ask again. */
export const AWAY_MS = 30_000;
/** A device with which nobody has done anything for so long is idle (client-server API, "Idle timeout"). */
export const IDLE_MS = 5 * 60_000;
/** A device that comes back sooner goes on where it was; later, its coming counts as something that its user did. */
export const GONE_MS = 10 * 60_000;

/** A device that has done nothing yet. */
export function newDevice(said: DeviceState, now: number, streamSaid?: DeviceState): DevicePresence {
  return { said, ...(streamSaid === undefined ? {} : { streamSaid }), streams: 0, contactAt: now, activeAt: -Infinity };
}

/** A device of which a stream says something. */
export function withSaid(device: DevicePresence, said: DeviceState | undefined, now: number): DevicePresence {
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

/** What it is by now: what was said of it, unless it is away, or nobody does anything with it. */
export function stateOfDevice(device: DevicePresence, now: number): DeviceState {
  if (device.streams === 0 && now - device.contactAt >= AWAY_MS) return 'offline';
  const isIdle = device.isIdle === true || now - device.activeAt >= IDLE_MS;
  return device.said === 'online' && isIdle ? 'unavailable' : device.said;
}

/** It has been away for so long that it counts as another one when it comes back. */
export function isGone({ streams, contactAt }: DevicePresence, now: number): boolean {
  return streams === 0 && now - contactAt >= GONE_MS;
}

/** Which of them, but for one, was there least of late: its place another takes. */
export function stalest(devices: ReadonlyMap<DeviceId, DevicePresence>, but: DeviceId): DeviceId {
  const others = [...devices].filter(([id]) => id !== but);
  const [first] = others.toSorted(([, a], [, b]) => a.streams - b.streams || a.contactAt - b.contactAt);
  return first?.[0] ?? but;
}
