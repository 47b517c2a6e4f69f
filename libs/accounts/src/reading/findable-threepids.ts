import { Inject, Injectable } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { ACCESS_LISTS } from '../projections/profiles.projector.js';
import { THREEPID_OWNERS } from '../projections/threepids.projector.js';
import type { Threepid } from '../threepids/threepid.js';
import { AccessLists } from './access-lists.js';

/** Which users of this server have which addresses, as far as they let themselves be found by them. */
@Injectable()
export class FindableThreepids {
  constructor(
    @Inject(VIEWS) private readonly views: Pick<Views, 'get' | 'getMany'>,
    private readonly lists: AccessLists,
  ) {}

  /** Whose some addresses are, in their order; undefined where nobody has one, or does not let who asks find them by it. */
  async find(threepids: readonly Threepid[], by: UserId): Promise<readonly (UserId | undefined)[]> {
    const owners = await THREEPID_OWNERS.getMany(
      this.views,
      threepids.map(({ medium, address }) => [medium, address] as const),
    );
    const found: (UserId | undefined)[] = [];
    for (const [i, owner] of owners.entries()) {
      const isFound = owner !== undefined && (await this.#mayFind(owner, by, threepids[i]!));
      found.push(isFound ? owner : undefined);
    }
    return found;
  }

  async #mayFind(owner: UserId, by: UserId, { medium }: Threepid): Promise<boolean> {
    const readers = await ACCESS_LISTS.get(this.views, [owner, 'threepids', medium]);
    return this.lists.read(owner, by).isOn(readers ?? []);
  }
}
