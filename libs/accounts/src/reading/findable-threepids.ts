import { Inject, Injectable } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { externalIdHash } from '../facts/external-id-facts.js';
import { EXTERNAL_ID_OWNERS } from '../projections/external-ids.projector.js';
import { ACCESS_LISTS } from '../projections/profiles.projector.js';
import { THREEPID_OWNERS } from '../projections/threepids.projector.js';
import { ACCOUNT_MEDIUM, findAccountAddress } from '../threepids/account-address.js';
import { findThreepid } from '../threepids/threepid.js';
import { AccessLists } from './access-lists.js';

/** By what people are found: a mail address, a phone number, or an account elsewhere (`ACCOUNT_MEDIUM`). */
export interface FindableAddress {
  readonly medium: string;
  readonly address: string;
}

/** Which users of this server have which addresses, as far as they let themselves be found by them. */
@Injectable()
export class FindableThreepids {
  constructor(
    @Inject(VIEWS) private readonly views: Pick<Views, 'get' | 'getMany'>,
    private readonly lists: AccessLists,
  ) {}

  /** Whose some addresses are, in their order; undefined where nobody has one, or does not let who asks find them by it. */
  async find(addresses: readonly FindableAddress[], by: UserId): Promise<readonly (UserId | undefined)[]> {
    const found: (UserId | undefined)[] = [];
    for (const [i, owner] of (await this.#ownersOf(addresses)).entries()) {
      const isFound = owner !== undefined && (await this.#mayFind(owner, by, addresses[i]!));
      found.push(isFound ? owner : undefined);
    }
    return found;
  }

  async #ownersOf(addresses: readonly FindableAddress[]): Promise<(UserId | undefined)[]> {
    const owners = new Map<FindableAddress, UserId | undefined>();
    const threepids = addresses.flatMap((one) => {
      const threepid = findThreepid(one.medium, one.address);
      return threepid === undefined ? [] : [{ one, key: [threepid.medium, threepid.address] as const }];
    });
    const accounts = addresses.flatMap((one) => {
      const account = one.medium === ACCOUNT_MEDIUM ? findAccountAddress(one.address) : undefined;
      return account === undefined ? [] : [{ one, key: [externalIdHash(account)] as const }];
    });
    const ofThreepids = await THREEPID_OWNERS.getMany(
      this.views,
      threepids.map(({ key }) => key),
    );
    const ofAccounts = await EXTERNAL_ID_OWNERS.getMany(
      this.views,
      accounts.map(({ key }) => key),
    );
    for (const [i, { one }] of threepids.entries()) owners.set(one, ofThreepids[i]);
    for (const [i, { one }] of accounts.entries()) owners.set(one, ofAccounts[i]);
    return addresses.map((one) => owners.get(one));
  }

  async #mayFind(owner: UserId, by: UserId, { medium }: FindableAddress): Promise<boolean> {
    const readers = await ACCESS_LISTS.get(this.views, [owner, 'threepids', medium]);
    return this.lists.read(owner, by).isOn(readers ?? []);
  }
}
