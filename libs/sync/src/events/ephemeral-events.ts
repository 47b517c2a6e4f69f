import { listChangedAccountData } from '#accounts/queries/account-data';
import { LIST_EVENT, listChangedRelations, relationEvent } from '#ephemeral/queries/list-relations';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { Reader } from '#rooms/reading/reader';
import type { SyncFilter } from '../filters/sync-filter.js';
import type { RoomEphemeral } from '../ephemeral/room-ephemeral.js';
import { inOrderOfIds } from '../notifier/in-order-of-ids.js';

/** Between two moments, in the rooms that somebody is in. */
export interface NewsRange {
  readonly reader: Reader;
  readonly rooms: readonly RoomId[];
  readonly from: StreamMoment;
  readonly to: StreamMoment;
  /** What is wanted of it; all unless told. */
  readonly filter?: SyncFilter;
}

/**
 * What the event stream tells besides the events of timelines: ephemeral events, in the order of the ids of their rooms, and account data
 * that are new, each a JSON text, in the form of the event stream.
 */
export async function readEphemeralEvents(
  views: Views,
  ephemerals: readonly RoomEphemeral[],
  range: NewsRange,
): Promise<string[]> {
  const { reader, rooms, from, to, filter } = range;
  const found: (readonly [RoomId, string])[] = [];
  for (const roomId of rooms) {
    const room = JSON.stringify(roomId);
    for (const ephemeral of ephemerals) {
      const { type } = ephemeral;
      if (filter !== undefined && !(filter.includesRoom(roomId) && filter.ephemeral.matches({ type, roomId })))
        continue;
      for (const content of await ephemeral.read(roomId, { reader, since: from, until: to })) {
        found.push([roomId, `{"type":"${type}","room_id":${room},"content":${content}}`]);
      }
    }
  }
  // PERF: of thousands of rooms few have any at a time.
  const events = inOrderOfIds(found).map(([, event]) => event);
  return [...events, ...(await readChangedData(views, range))];
}

/** Who stands otherwise to the reader by their presence list, and who asks to see them: each an event, a JSON text. */
export async function readChangedLists(views: Views, { reader, from, to, filter }: NewsRange): Promise<string[]> {
  if (filter?.presence.matches({ type: LIST_EVENT }) === false) return [];
  const changed = await listChangedRelations(views, reader.userId, { after: from.position, upTo: to.position });
  return changed.map((relation) => JSON.stringify(relationEvent(relation)));
}

async function readChangedData(views: Views, { reader, from, to, filter }: NewsRange): Promise<string[]> {
  const options = { after: from.position, upTo: to.position };
  const changed = await listChangedAccountData(views, reader.userId, options);
  const isWanted = ({ type, roomId }: (typeof changed)[number]): boolean => {
    if (filter === undefined) return true;
    if (roomId === undefined) return filter.accountData.matches({ type });
    return filter.includesRoom(roomId) && filter.roomAccountData.matches({ type, roomId });
  };
  return changed.filter(isWanted).map(({ type, content, roomId }) => {
    const room = roomId === undefined ? '' : `"room_id":${JSON.stringify(roomId)},`;
    return `{"type":${JSON.stringify(type)},${room}"content":${content}}`;
  });
}
