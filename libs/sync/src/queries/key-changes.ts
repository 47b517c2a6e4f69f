import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { parseStreamMoment } from '#http/tokens/stream-token';
import type { Requester } from '#kernel/requester';
import { Turn } from '#projections/turn';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { type DeviceListChange, DeviceListChanges } from '../device-lists/device-list-changes.js';
import { ActiveUsers } from '../notifier/active-users.js';
import { StreamMoments } from '../streams/stream-moments.js';

/**
 * What /sync would tell of device lists between two of its tokens: client-server API, "End-to-End Encryption", GET /keys/changes. Throws
 * M_INVALID_PARAM for a token that is none, ViewsUnavailable for one that the views of this process do not come to in some seconds;
 * as `StreamMoments.settle`.
 */
export class KeyChanges extends Query<DeviceListChange> {
  constructor(
    readonly requester: Requester,
    readonly from: string,
    readonly to: string,
  ) {
    super();
  }
}

@QueryHandler(KeyChanges)
export class KeyChangesHandler implements IQueryHandler<KeyChanges> {
  constructor(
    private readonly active: ActiveUsers,
    private readonly moments: StreamMoments,
    private readonly lists: DeviceListChanges,
  ) {}

  async execute({ requester, from, to }: KeyChanges): Promise<DeviceListChange> {
    const { history } = this.moments;
    const [begin, end] = [parseStreamMoment(history, from, 'from'), parseStreamMoment(history, to, 'to')];
    const { user, interest } = await this.active.watch(requester.userId);
    try {
      // One that another process gave, which follows the log faster, is waited for.
      const { position: upTo } = await this.moments.settle(end);
      const { position: now } = await this.moments.moment(undefined, () => false, user);
      const reader = { userId: requester.userId, rooms: user.rooms, turn: new Turn(1) };
      // What the client heard of a part of the log that is lost may be wrong.
      if (begin.isLost) return await this.lists.everybody(reader);
      // What is left out here no /sync from that token would tell either.
      if (upTo > now && upTo === end.position)
        throw new ViewsUnavailable('the views are not yet where this token was given');
      return await this.lists.between(reader, begin.position, upTo < now ? upTo : now, true);
    } finally {
      interest.close();
    }
  }
}
