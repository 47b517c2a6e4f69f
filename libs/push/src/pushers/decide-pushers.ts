import { isDeepStrictEqual } from 'node:util';
import type { DeviceId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { PusherFact, PusherName, PusherRemovedReason, PusherSet } from '../facts/pusher-facts.js';
import { type KnownPushers, pusherKey } from './known-pushers.js';

/** More than anybody has devices for. */
const MOST_PUSHERS = 100;

/** A pusher as a client wants it to be. */
export type WantedPusher = Omit<PusherSet, 'enabled' | 'set_at' | 'alone' | 'behind'> & {
  /** Undefined: as it was, and that of a new one is on. */
  readonly enabled: boolean | undefined;
};

/**
 * Sets a pusher. One that is there stays that of the device which made it, whoever changes it: another device may switch it on and off
 * (MSC3881). `isShared`: other users have it too, of whom it is to be taken where `alone` says so. Nothing where it is so already.
 * Throws M_RESOURCE_LIMIT_EXCEEDED.
 */
export function decidePusher(
  pushers: KnownPushers,
  wanted: WantedPusher,
  { now, alone, isShared }: { readonly now: number; readonly alone: boolean; readonly isShared: boolean },
): PusherFact[] {
  const before = pushers.get(pusherKey(wanted));
  if (before === undefined && pushers.size >= MOST_PUSHERS) {
    throw new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', `No more than ${MOST_PUSHERS} pushers`);
  }
  const { enabled = before?.enabled ?? true } = wanted;
  const device_id = before?.device_id ?? wanted.device_id;
  const is = { ...wanted, enabled, device_id };
  if (before !== undefined && isDeepStrictEqual(said(before), is) && !(alone && isShared)) return [];
  // What was missed while the gateway could not be reached is still owed.
  const set = { ...is, set_at: now, ...(alone ? { alone } : {}), ...(before?.behind ? { behind: before.behind } : {}) };
  return [{ type: 'pusher-set', data: set }];
}

function said({ set_at: _at, alone: _alone, behind: _behind, ...pusher }: PusherSet): object {
  return pusher;
}

/** Removes a pusher, if it is there. */
export function decidePusherRemoval(
  pushers: KnownPushers,
  { app_id, pushkey }: PusherName,
  reason: PusherRemovedReason,
): PusherFact[] {
  if (!pushers.has(pusherKey({ app_id, pushkey }))) return [];
  return [{ type: 'pusher-removed', data: { app_id, pushkey, reason } }];
}

/** Removes what a device made up to a time: another device may have come under the same id since. */
export function decideDeviceEnd(pushers: KnownPushers, devices: ReadonlySet<DeviceId>, before: number): PusherFact[] {
  return [...pushers.values()]
    .filter(({ device_id, set_at }) => devices.has(device_id) && set_at <= before)
    .flatMap((pusher) => decidePusherRemoval(pushers, pusher, 'device'));
}

/** Notes that a pusher is behind, or that it has caught up, if it is there and that is new of it. */
export function decideBehind(pushers: KnownPushers, name: PusherName, isBehind: boolean): PusherFact[] {
  const before = pushers.get(pusherKey(name));
  if (before === undefined || (before.behind === true) === isBehind) return [];
  // Whose it is has been settled when a client set it.
  const { alone: _, behind: _behind, ...pusher } = before;
  return [{ type: 'pusher-set', data: isBehind ? { ...pusher, behind: true } : pusher }];
}
