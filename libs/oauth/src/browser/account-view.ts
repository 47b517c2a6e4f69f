import { Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { Devices } from '#accounts/queries/devices';
import type { DeviceId, UserId } from '#kernel/ids';
import { nameOfClient } from '../clients/client.js';
import type { AccountContext, ShownDevice } from '../pages/account-pages.js';
import type { Browser } from './browsers.js';
import { ConfirmPerson } from './confirm-person.js';

/** What the account page shows of an account. */
@Injectable()
export class AccountView {
  constructor(
    private readonly accounts: Accounts,
    private readonly person: ConfirmPerson,
    private readonly devices: Devices,
  ) {}

  /** Of the person who is signed in: what all pages are made for. */
  async contextFor(browser: Browser, userId: UserId): Promise<AccountContext> {
    const [hasPassword, isPasswordOurs] = await Promise.all([
      this.person.hasPassword(userId),
      this.isPasswordOurs(userId),
    ]);
    return { browser, userId, hasPassword, isPasswordOurs };
  }

  /** Whether their password is one that this server keeps. */
  async isPasswordOurs(userId: UserId): Promise<boolean> {
    return (await this.accounts.load(userId)).passwordHash !== undefined;
  }

  /** Whoever else may read it; '' where there is none. */
  async displayname(userId: UserId): Promise<string> {
    const displayname = (await this.accounts.load(userId)).profile.get('displayname')?.value;
    return typeof displayname === 'string' ? displayname : '';
  }

  /** Whether much of what they do is refused. */
  async isSuspended(userId: UserId): Promise<boolean> {
    return (await this.accounts.load(userId)).suspended;
  }

  /** All that are signed in, the one used last first. Those that no client holds are none that a person knows. */
  async list(userId: UserId): Promise<ShownDevice[]> {
    const [account, seen] = await Promise.all([this.accounts.load(userId), this.devices.connections(userId)]);
    return [...account.devices]
      .filter(([deviceId]) => deviceId !== account.dehydrated?.deviceId)
      .map(([deviceId, { display_name: name, created_ts: createdAt, oauth }]) => {
        const last = seen.get(deviceId);
        const home = oauth && new URL(oauth.client_uri).hostname;
        const application = oauth && `${nameOfClient(oauth)} (${home})`;
        return { deviceId, name, createdAt, lastSeenAt: last?.at, lastSeenIp: last?.ip, application };
      })
      .toSorted((one, other) => (other.lastSeenAt ?? other.createdAt) - (one.lastSeenAt ?? one.createdAt));
  }

  async find(userId: UserId, deviceId: string | undefined): Promise<ShownDevice | undefined> {
    return (await this.list(userId)).find((one) => one.deviceId === (deviceId as DeviceId));
  }
}
