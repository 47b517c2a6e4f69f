import { isDeepStrictEqual } from 'node:util';
import { ACCOUNT_LIMITS, limitReached } from '#kernel/account-limits';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Digest } from '../digests/digest.js';
import { suspendDigest } from '../digests/decide-digest.js';
import type { PusherFact, PusherName, PusherRemovedReason, PusherSet } from '../facts/pusher-facts.js';
import { type KnownPushers, pusherKey } from './known-pushers.js';

/** A pusher as a client wants it to be. */
export type WantedPusher = Omit<PusherSet, 'enabled' | 'set_at' | 'alone' | 'behind' | 'digest'> & {
  /** Undefined: as it was, and that of a new one is on. */
  readonly enabled: boolean | undefined;
};

/** What a request to set a pusher says besides. */
export interface PusherSetting {
  readonly now: number;
  /** It is to be taken from other users. */
  readonly alone: boolean;
  /** Other users have it too. */
  readonly isShared: boolean;
  /** Whose pusher it is by what the client says (MSC3881). */
  readonly named?: DeviceId | undefined;
}

/**
 * Sets a pusher, which goes with its device: that which set it last for itself. Another device may switch it on and off (MSC3881), which
 * makes it no pusher of that device, and none that was set anew. Nothing where it is so already. Throws M_USER_LIMIT_EXCEEDED.
 */
export function decidePusher(pushers: KnownPushers, wanted: WantedPusher, setting: PusherSetting): PusherFact[] {
  const { now, alone, isShared } = setting;
  const before = pushers.get(pusherKey(wanted));
  if (before === undefined && pushers.size >= ACCOUNT_LIMITS.pushers.most) {
    throw limitReached('pushers');
  }
  const { enabled = before?.enabled ?? true } = wanted;
  const isOwn = before === undefined || isForItself(before, wanted, setting);
  const is = { ...wanted, enabled, device_id: isOwn ? wanted.device_id : before.device_id };
  if (before !== undefined && isDeepStrictEqual(said(before), is) && !(alone && isShared && isOwn)) return [];
  const set = { ...is, set_at: isOwn ? now : before.set_at, ...(alone && isOwn ? { alone } : {}) };
  // What was missed while the gateway could not be reached is still owed.
  return [{ type: 'pusher-set', data: { ...set, ...keptOf(before, enabled) } }];
}

/** What a pusher keeps that is set again: of what came while it was off nothing is mailed. */
function keptOf(before: PusherSet | undefined, enabled: boolean): Pick<PusherSet, 'behind' | 'digest'> {
  const { behind, digest } = before ?? {};
  const kept = digest === undefined || enabled ? digest : suspendDigest(digest);
  return { ...(behind === true ? { behind } : {}), ...(kept === undefined ? {} : { digest: kept }) };
}

/** Whether a device sets a pusher that is there for itself, as who signs in anew with an application does, and does not switch that of another one. */
function isForItself(before: PusherSet, { device_id, enabled }: WantedPusher, { named }: PusherSetting): boolean {
  if (device_id === before.device_id || named !== undefined) return named === undefined || named === device_id;
  return enabled === undefined || enabled === before.enabled;
}

function said({ set_at: _at, alone: _alone, behind: _behind, digest: _digest, ...pusher }: PusherSet): object {
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

/**
 * Removes the pusher that somebody else (`taker`) has set for themself alone, unless it was set here after that. Of two who set it in the
 * same moment one has it, whichever is asked first.
 */
export function decideTakeOver(
  pushers: KnownPushers,
  taken: PusherSet,
  { taker, userId }: { readonly taker: UserId; readonly userId: UserId },
): PusherFact[] {
  const theirs = pushers.get(pusherKey(taken));
  if (theirs === undefined || theirs.set_at > taken.set_at) return [];
  if (theirs.set_at === taken.set_at && theirs.alone === true && userId > taker) return [];
  return decidePusherRemoval(pushers, taken, 'taken-over');
}

/** Removes what a device set for itself up to a time: another device may have come under the same id since. */
export function decideDeviceEnd(pushers: KnownPushers, devices: ReadonlySet<DeviceId>, before: number): PusherFact[] {
  return [...pushers.values()]
    .filter(({ device_id, set_at }) => devices.has(device_id) && set_at <= before)
    .flatMap((pusher) => decidePusherRemoval(pushers, pusher, 'device'));
}

/** Removes what mails to addresses that the user has no more; `own`: their pushkeys. */
export function decideAddressEnd(pushers: KnownPushers, own: ReadonlySet<string>): PusherFact[] {
  return [...pushers.values()]
    .filter(({ kind, pushkey }) => kind === 'email' && !own.has(pushkey))
    .flatMap((pusher) => decidePusherRemoval(pushers, pusher, 'address'));
}

/** Notes how mails go on by what they have told, if the pusher is there and on. `change` answers undefined where nothing is new of it. */
export function decideDigest(
  pushers: KnownPushers,
  name: PusherName,
  change: (digest: Digest) => Digest | undefined,
): PusherFact[] {
  const before = pushers.get(pusherKey(name));
  if (before === undefined || before.kind !== 'email' || !before.enabled) return [];
  const digest = change(before.digest ?? {});
  if (digest === undefined) return [];
  const { alone: _, ...pusher } = before;
  return [{ type: 'pusher-set', data: { ...pusher, digest } }];
}

/** Notes that a pusher is behind, or that it has caught up, if it is there and that is new of it. */
export function decideBehind(pushers: KnownPushers, name: PusherName, isBehind: boolean): PusherFact[] {
  const before = pushers.get(pusherKey(name));
  if (before === undefined || (before.behind === true) === isBehind) return [];
  // Whose it is has been settled when a client set it.
  const { alone: _, behind: _behind, ...pusher } = before;
  return [{ type: 'pusher-set', data: isBehind ? { ...pusher, behind: true } : pusher }];
}
