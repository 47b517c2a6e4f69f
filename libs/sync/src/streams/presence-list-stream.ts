import { Inject, Injectable } from '@nestjs/common';
import { PRESENCE_LISTS } from '#ephemeral/projections/presence-lists.projector';
import { listChangedRelations, listRelations, relationEvent } from '#ephemeral/queries/list-relations';
import { VIEWS, type Views } from '#projections/views';
import type { SyncContext, SyncPart, SyncStream } from './sync-context.js';

const NOTHING: SyncPart = Object.freeze({ json: undefined, isNews: false });

/** Who is on the user's presence list, and who asks to see them: all of it at first, later who stands to them otherwise than before. */
@Injectable()
export class PresenceListStream implements SyncStream {
  static readonly covers = [PRESENCE_LISTS.name];
  readonly key = 'dev.annals.presence_list';

  constructor(@Inject(VIEWS) private readonly views: Pick<Views, 'getMany' | 'scan'>) {}

  async read({ since, until, requester: { userId }, hasOwnFacts }: SyncContext): Promise<SyncPart> {
    if (since !== undefined && !hasOwnFacts) return NOTHING;
    const relations =
      since === undefined
        ? await listRelations(this.views, userId)
        : await listChangedRelations(this.views, userId, { after: since.position, upTo: until.position });
    if (relations.length === 0) return NOTHING;
    return { json: JSON.stringify({ events: relations.map(relationEvent) }), isNews: true };
  }
}
