import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { isNone } from '../decide/relations.js';
import { PRESENCE_LISTS, PRESENCE_LISTS_LOG, type RelationRow } from '../projections/presence-lists.projector.js';

/** The type of the events by which clients hear of their presence list: the documents leave open how they do. */
export const LIST_EVENT = 'dev.annals.presence_list';

/** How somebody else stands to a user now. */
export interface KnownRelation {
  readonly other: UserId;
  readonly row: RelationRow;
}

/** Everybody who stands to a user somehow. */
export async function listRelations(views: Pick<Views, 'scan'>, owner: UserId): Promise<KnownRelation[]> {
  const found: KnownRelation[] = [];
  for await (const page of PRESENCE_LISTS.pages(views, { prefix: [owner] })) {
    for (const { key, value } of page) if (!isNone(value)) found.push({ other: key[1], row: value });
  }
  return found;
}

/** Who stands otherwise to a user than they did, behind a position up to another; also where it is over. */
export async function listChangedRelations(
  views: Pick<Views, 'getMany' | 'scan'>,
  owner: UserId,
  { after, upTo }: { readonly after: Position; readonly upTo: Position },
): Promise<KnownRelation[]> {
  const range = { prefix: [owner], after: [owner, after], to: [owner, upTo] } as const;
  const changed: { readonly other: UserId; readonly position: Position }[] = [];
  for await (const page of PRESENCE_LISTS_LOG.pages(views, range)) {
    for (const { key, value } of page) changed.push({ other: value, position: key[1] });
  }
  if (changed.length === 0) return [];
  const rows = await PRESENCE_LISTS.getMany(
    views,
    changed.map(({ other }) => [owner, other]),
  );
  return changed.flatMap(({ other, position }, i) => {
    const row = rows[i];
    // Changed again later: in a store without transactions a crash can have kept the row of the earlier change.
    return row?.pos === position ? [{ other, row }] : [];
  });
}

/** What a client is told of one: nothing but the name where it is over. */
export function relationEvent({ other, row }: KnownRelation): JsonObject {
  const { listed, groups, watches } = row;
  const content = {
    user_id: other,
    ...(listed === undefined ? {} : { listed }),
    ...(groups === undefined ? {} : { groups: [...groups] }),
    ...(watches === undefined ? {} : { watches }),
  };
  return { type: LIST_EVENT, content };
}
