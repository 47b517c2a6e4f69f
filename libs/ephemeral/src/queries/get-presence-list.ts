import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { Subscribers } from '../lists/subscribers.js';
import { Presence } from '../presence/presence.js';
import { contentOfPresence, type PresenceForm } from '../presence/shown-presence.js';
import { listRelations } from './list-relations.js';

/** A presence list, and who asks to see its owner, or may. */
export interface PresenceList {
  readonly list: readonly JsonObject[];
  readonly watchers: readonly JsonObject[];
}

/**
 * The requester's presence list: 2014/15, "Fetching the presence list". Who has not allowed it yet is `offline`, and `accepted` says that they
 * have not.
 */
export class GetPresenceList extends Query<PresenceList> {
  constructor(
    readonly requester: Requester,
    readonly form: PresenceForm,
  ) {
    super();
  }
}

@QueryHandler(GetPresenceList)
export class GetPresenceListHandler implements IQueryHandler<GetPresenceList> {
  constructor(
    private readonly presence: Presence,
    private readonly subscribers: Subscribers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester: { userId }, form }: GetPresenceList): Promise<PresenceList> {
    const [list, watchers]: [JsonObject[], JsonObject[]] = [[], []];
    for (const { other, row } of await listRelations(this.views, userId)) {
      if (row.watches !== undefined) watchers.push({ user_id: other, accepted: row.watches === 'accepted' });
      if (row.listed === undefined) continue;
      const accepted = row.listed === 'accepted' && (await this.subscribers.follows(userId, other));
      const shown = accepted ? await this.presence.get(other) : undefined;
      const content = shown === undefined ? { presence: 'offline' } : contentOfPresence(shown, false, form);
      list.push({
        user_id: other,
        accepted,
        ...(row.groups === undefined ? {} : { groups: [...row.groups] }),
        ...content,
      });
    }
    return { list, watchers };
  }
}
