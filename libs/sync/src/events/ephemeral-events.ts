import { listChangedAccountData } from '#accounts/queries/account-data';
import { listReceipts, receiptContents } from '#ephemeral/queries/list-receipts';
import type { Typing } from '#ephemeral/typing/typing';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { Reader } from '#rooms/reading/reader';
import type { SyncFilter } from '../filters/sync-filter.js';
import type { ActiveUsers } from '../notifier/active-users.js';

/** What the event stream tells besides the events of timelines. */
export interface EphemeralSources {
  readonly views: Views;
  readonly typing: Typing;
  readonly active: ActiveUsers;
}

/** Between two moments, in the rooms that somebody is in. */
export interface EphemeralRange {
  readonly reader: Reader;
  readonly rooms: readonly RoomId[];
  readonly from: StreamMoment;
  readonly to: StreamMoment;
  /** What is wanted of it; all unless told. */
  readonly filter?: SyncFilter;
}

/** Typing notifications, receipts and account data that are new, each a JSON text, in the form of the event stream. */
export async function readEphemeralEvents(sources: EphemeralSources, range: EphemeralRange): Promise<string[]> {
  const { typing, views, active } = sources;
  const { reader, rooms, from, to, filter } = range;
  const isWanted = (type: string, roomId: RoomId): boolean =>
    filter === undefined || (filter.includesRoom(roomId) && filter.ephemeral.matches({ type, roomId }));
  const events: string[] = [];
  for (const roomId of rooms) {
    const room = JSON.stringify(roomId);
    if (isWanted('m.typing', roomId) && typing.hasNews(roomId, from.typing, to.typing)) {
      const content = JSON.stringify({ user_ids: typing.listTyping(roomId, reader.ignored) });
      events.push(`{"type":"m.typing","room_id":${room},"content":${content}}`);
    }
    if (!isWanted('m.receipt', roomId)) continue;
    if (active.receipts.hasHappenedSince(roomId, from.position) === false) continue;
    const receipts = await listReceipts(views, roomId, { reader, after: from.position, upTo: to.position });
    for (const content of receiptContents(receipts)) {
      events.push(`{"type":"m.receipt","room_id":${room},"content":${content}}`);
    }
  }
  events.push(...(await readChangedData(views, range)));
  return events;
}

async function readChangedData(views: Views, { reader, from, to, filter }: EphemeralRange): Promise<string[]> {
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
