import { Inject, Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import type { AccountRow } from '#accounts/projections/accounts.projector';
import { PROFILES } from '#accounts/projections/profiles.projector';
import { Devices } from '#accounts/queries/devices';
import { listExternalIds } from '#accounts/queries/external-ids';
import { findAccount } from '#accounts/queries/find-account';
import { listThreepids } from '#accounts/queries/threepids';
import type { AcceptedTerms } from '#accounts/terms/terms';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';

/** What lists and answers about one user have alike, with the names that Matrix tools know. There are no types of users here, and nobody is shadow-banned. */
export interface ToldUser {
  readonly name: UserId;
  readonly displayname: string | null;
  readonly avatar_url: string | null;
  readonly is_guest: boolean;
  readonly admin: boolean;
  readonly deactivated: boolean;
  readonly erased: boolean;
  readonly locked: boolean;
  readonly suspended: boolean;
  readonly shadow_banned: false;
  readonly user_type: null;
}

/** The users of this server as administrators are told of them; of profiles what everybody may read. */
@Injectable()
export class Users {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly accounts: Accounts,
    private readonly devices: Devices,
  ) {}

  /** Throws M_NOT_FOUND for a user id that nobody registered. */
  async getAccount(userId: UserId): Promise<AccountRow> {
    const row = await findAccount(this.views, userId);
    if (row === undefined) throw new MatrixError('M_NOT_FOUND', 'No such user');
    return row;
  }

  /** All that is told of one user. Throws as `getAccount`. */
  async describe(userId: UserId): Promise<object> {
    const row = await this.getAccount(userId);
    const profile = await PROFILES.get(this.views, [userId]);
    const { serviceId } = await this.accounts.load(userId);
    const externalIds = await listExternalIds(this.views, userId);
    return {
      ...tellUser(userId, row, profile),
      threepids: await listThreepids(this.views, userId),
      external_ids: externalIds
        .filter(({ subject }) => subject !== '')
        .map(({ provider, subject }) => ({ auth_provider: provider, external_id: subject })),
      // In seconds here, while lists say it in milliseconds: so tools expect it.
      creation_ts: Math.floor(row.created_ts / 1000),
      last_seen_ts: await this.lastSeen(userId),
      appservice_id: serviceId ?? null,
      // Nobody is sent a notice of that: who is to accept something is refused until they have.
      consent_server_notice_sent: null,
      consent_version: versionsOf(row.terms),
      consent_ts: row.terms_ts ?? null,
    };
  }

  /** When a device of the user was used last, as far as this process remembers. */
  async lastSeen(userId: UserId): Promise<number | null> {
    const seen = [...(await this.devices.connections(userId)).values()];
    const times = seen.flatMap((one) => (one === undefined ? [] : [one.at]));
    return times.length === 0 ? null : Math.max(...times);
  }
}

/** Of each document that was accepted its id and the version; null where none was. */
function versionsOf(terms: AcceptedTerms = {}): string | null {
  const versions = Object.entries(terms).map(([id, version]) => `${id} ${version}`);
  return versions.length === 0 ? null : versions.toSorted().join(', ');
}

/** `profile`: what everybody may read of it, as JSON text. */
export function tellUser(userId: UserId, row: AccountRow, profile: string | undefined): ToldUser {
  const { displayname, avatar_url: avatar } = profile === undefined ? {} : (JSON.parse(profile) as JsonObject);
  return {
    name: userId,
    displayname: typeof displayname === 'string' ? displayname : null,
    avatar_url: typeof avatar === 'string' ? avatar : null,
    is_guest: row.guest === true,
    admin: row.admin === true,
    deactivated: row.deactivated === true,
    erased: row.erased === true,
    locked: row.locked === true,
    suspended: row.suspended === true,
    shadow_banned: false,
    user_type: null,
  };
}
