import { Inject, Injectable } from '@nestjs/common';
import { KeyedNames } from '#event-store/keyed-names';
import { MatrixError } from '#kernel/matrix-error';
import type { UserId } from '#kernel/ids';
import type { PusherName, PusherSet } from '../facts/pusher-facts.js';
import { OWN_ADDRESSES, type OwnAddresses } from './own-addresses.js';

/** "If the `kind` is "email", this is "m.email"." No other pusher is called so. */
export const MAIL_APP = 'm.email';

/** Where a pusher's notifications are pushed to; undefined of one that mails. */
export function gatewayOf({ kind, data }: Pick<PusherSet, 'kind' | 'data'>): string | undefined {
  return kind === 'http' ? String(data['url']) : undefined;
}

/**
 * Which pusher mails to which address. In the log and in views a name stands for the address, by which this server alone knows it: that the account has the address is said once, in
 * the user's stream, from where it goes once it is unlinked; nothing here has to be looked through for it then.
 */
@Injectable()
export class MailPushers {
  constructor(
    @Inject(OWN_ADDRESSES) private readonly own: OwnAddresses,
    private readonly names: KeyedNames,
  ) {}

  /** What the pusher that mails to an address is called. */
  nameOf(address: string): PusherName {
    return { app_id: MAIL_APP, pushkey: this.names.nameOf('mail pusher', address) };
  }

  /** The addresses of a user, by the pushkeys of what mails to each. */
  async listAddresses(userId: UserId): Promise<ReadonlyMap<string, string>> {
    const addresses = await this.own.list(userId);
    return new Map(addresses.map((address) => [this.nameOf(address).pushkey, address]));
  }

  /** The address of a user that a pusher mails to; undefined where it is none of theirs. */
  async findAddress(userId: UserId, { pushkey }: Pick<PusherName, 'pushkey'>): Promise<string | undefined> {
    return (await this.listAddresses(userId)).get(pushkey);
  }

  /** Throws M_THREEPID_NOT_FOUND where an address is none of a user's: nobody has mails sent to others. */
  async checkOwnAddress(userId: UserId, pusher: PusherName): Promise<void> {
    if ((await this.findAddress(userId, pusher)) !== undefined) return;
    throw new MatrixError('M_THREEPID_NOT_FOUND', 'pushkey: no mail address that your account has');
  }

  /** The pushers of a user as they are told: those that mail by their address, and none whose address the user has no more. */
  async nameAddresses(userId: UserId, pushers: readonly PusherSet[]): Promise<PusherSet[]> {
    if (pushers.every(({ kind }) => kind !== 'email')) return [...pushers];
    const addresses = await this.listAddresses(userId);
    return pushers.flatMap((pusher): PusherSet[] => {
      if (pusher.kind !== 'email') return [pusher];
      const address = addresses.get(pusher.pushkey);
      const { device_display_name: name } = pusher;
      return address === undefined ? [] : [{ ...pusher, pushkey: address, device_display_name: name || address }];
    });
  }
}
