import { Inject, Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import { externalIdHash } from '#accounts/facts/external-id-facts';
import type { HtmlPage } from '#http/pages/html-page';
import { Devices } from '#accounts/queries/devices';
import { listExternalIds } from '#accounts/queries/external-ids';
import type { DeviceId, UserId } from '#kernel/ids';
import { HandOver } from '#personal-data/hand-over';
import { VIEWS, type Views } from '#projections/views';
import { LDAP } from '#sso/ldap/ldap-authority';
import { UpstreamProviders } from '#sso/upstream-providers';
import { nameOfClient } from '../clients/client.js';
import { ACTIONS } from '../account-actions.js';
import {
  type AccountContext,
  closePage,
  devicePage,
  devicesPage,
  elsewherePage,
  keyResetPage,
  profilePage,
  type ShownDevice,
  type ShownExternalId,
} from '../pages/account-pages.js';
import { dataPage } from '../pages/data-page.js';
import type { Browser } from './browsers.js';
import { ConfirmPerson } from './confirm-person.js';

/** What is longer than a page is in the export alone. */
const MOST_SHOWN = 100;

/** What the account page shows of an account. */
@Injectable()
export class AccountView {
  constructor(
    private readonly accounts: Accounts,
    private readonly person: ConfirmPerson,
    private readonly devices: Devices,
    private readonly providers: UpstreamProviders,
    @Inject(VIEWS) private readonly views: Views,
    private readonly handOver: HandOver,
  ) {}

  /** Of the person who is signed in: what all pages are made for. */
  async contextFor(browser: Browser, userId: UserId): Promise<AccountContext> {
    const [hasPassword, hasPasswordHere, linked] = await Promise.all([
      this.person.hasPassword(userId),
      this.hasPasswordHere(userId),
      this.#listElsewhere(userId),
    ]);
    const confirmsWith = this.providers.all.filter(({ id }) => linked.some(({ provider }) => provider === id));
    const hasElsewhere = this.providers.all.length > 0;
    return { browser, userId, hasPassword, hasPasswordHere, hasElsewhere, confirmsWith };
  }

  /** What is not known leads to the account, and devices that are gone to those that are there. */
  async page(action: string, context: AccountContext, deviceId?: string): Promise<HtmlPage> {
    const { userId } = context;
    switch (action) {
      case ACTIONS.devices:
        return devicesPage(context, await this.#listDevices(userId));
      case ACTIONS.device:
      case ACTIONS.endDevice: {
        const device = await this.#findDevice(userId, deviceId);
        if (device === undefined) return devicesPage(context, await this.#listDevices(userId));
        return devicePage(context, device, action === ACTIONS.endDevice);
      }
      case ACTIONS.close:
        return closePage(context);
      case ACTIONS.keyReset:
        return keyResetPage(context);
      case ACTIONS.elsewhere:
        return elsewherePage(context, await this.#listElsewhere(userId), this.providers.all);
      case ACTIONS.data:
        return dataPage(context, await this.handOver.glimpse(userId, 'places', MOST_SHOWN));
      default:
        return profilePage(context, await this.#findDisplayname(userId));
    }
  }

  /** Whether this server keeps a password of theirs, which they may change by it. Who has none may choose their first by a mail (`WhosePassword.isOurs`). */
  async hasPasswordHere(userId: UserId): Promise<boolean> {
    return (await this.accounts.load(userId)).passwordHash !== undefined;
  }

  /** Theirs, whoever else may read it; '' where there is none. */
  async #findDisplayname(userId: UserId): Promise<string> {
    const displayname = (await this.accounts.load(userId)).profile.get('displayname')?.value;
    return typeof displayname === 'string' ? displayname : '';
  }

  /** The account, as the log has it. */
  load(userId: UserId): ReturnType<Accounts['load']> {
    return this.accounts.load(userId);
  }

  /** The accounts elsewhere that are theirs, but for one in a directory, which is theirs for as long as they are in that. */
  async #listElsewhere(userId: UserId): Promise<(ShownExternalId & { readonly provider: string })[]> {
    return (await listExternalIds(this.views, userId))
      .filter(({ provider }) => provider !== LDAP)
      .map(({ provider, subject }) => ({
        provider,
        subject,
        idHash: externalIdHash({ provider, subject }),
        providerName: this.providers.find(provider)?.name ?? provider,
      }));
  }

  /** All that are signed in, the one used last first. Those that no client holds are none that a person knows. */
  async #listDevices(userId: UserId): Promise<ShownDevice[]> {
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

  async #findDevice(userId: UserId, deviceId: string | undefined): Promise<ShownDevice | undefined> {
    return (await this.#listDevices(userId)).find((one) => one.deviceId === (deviceId as DeviceId));
  }
}
