import { hash } from 'node:crypto';
import { MatrixError } from '#kernel/matrix-error';
import type { UserId } from '#kernel/ids';
import type { PusherName, PusherSet } from '../facts/pusher-facts.js';
import type { OwnAddresses } from './own-addresses.js';

/** "If the `kind` is "email", this is "m.email"." No other pusher is called so. */
export const MAIL_APP = 'm.email';

/**
 * What stands for an address in the log and in views: its hash. That the account has the address is said once, in the user's stream, from where
 * it goes once it is unlinked; nothing here has to be looked through for it then.
 */
export const mailPushkey = (address: string): string => hash('sha256', `mails to ${address}`, 'hex');

/** What the pusher that mails to an address is called. */
export const mailPusherOf = (address: string): PusherName => ({ app_id: MAIL_APP, pushkey: mailPushkey(address) });

/** Where a pusher's notifications are pushed to; undefined of one that mails. */
export function gatewayOf({ kind, data }: Pick<PusherSet, 'kind' | 'data'>): string | undefined {
  return kind === 'http' ? String(data['url']) : undefined;
}

/** The address of a user that a pusher mails to; undefined where it is none of theirs. */
export async function findAddress(
  own: OwnAddresses,
  userId: UserId,
  { pushkey }: Pick<PusherName, 'pushkey'>,
): Promise<string | undefined> {
  return (await own.list(userId)).find((address) => mailPushkey(address) === pushkey);
}

/** Throws M_THREEPID_NOT_FOUND where an address is none of a user's: nobody has mails sent to others. */
export async function checkOwnAddress(own: OwnAddresses, userId: UserId, pusher: PusherName): Promise<void> {
  if ((await findAddress(own, userId, pusher)) !== undefined) return;
  throw new MatrixError('M_THREEPID_NOT_FOUND', 'pushkey: no mail address that your account has');
}

/** The pushers of a user as they are told: those that mail by their address, and none whose address the user has no more. */
export async function nameAddresses(
  own: OwnAddresses,
  userId: UserId,
  pushers: readonly PusherSet[],
): Promise<PusherSet[]> {
  if (pushers.every(({ kind }) => kind !== 'email')) return [...pushers];
  const addresses = new Map((await own.list(userId)).map((address) => [mailPushkey(address), address]));
  return pushers.flatMap((pusher): PusherSet[] => {
    if (pusher.kind !== 'email') return [pusher];
    const address = addresses.get(pusher.pushkey);
    const { device_display_name: name } = pusher;
    return address === undefined ? [] : [{ ...pusher, pushkey: address, device_display_name: name || address }];
  });
}
