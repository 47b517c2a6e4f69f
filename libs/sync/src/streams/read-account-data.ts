import { ACCOUNT_DATA } from '#accounts/projections/account-data-row';
import { type AccountData, listAccountData, listChangedAccountData } from '#accounts/queries/account-data';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import type { AccountDataByRoom } from './sync-context.js';

export const NO_ACCOUNT_DATA: AccountDataByRoom = Object.freeze({ global: [], rooms: new Map() });

/** All account data of a user as of a position. What changed behind it is left out: it is new at the next look. */
export async function readAllAccountData(views: Views, userId: UserId, upTo: Position): Promise<AccountDataByRoom> {
  const global = await listAccountData(views, userId, undefined);
  const rooms = new Map<RoomId, AccountData[]>();
  for await (const page of ACCOUNT_DATA.pages(views, { prefix: [userId], after: [userId, '', '\u{10ffff}'] })) {
    for (const {
      key: [, roomId, type],
      value,
    } of page) {
      if (roomId !== '' && value.position <= upTo) addTo(rooms, roomId, { type, ...value });
    }
  }
  return { global: global.filter(({ position }) => position <= upTo), rooms };
}

/** The account data of a user that changed behind `after` (exclusive) up to a position. */
export async function readChangedAccountData(
  views: Views,
  userId: UserId,
  after: Position,
  upTo: Position,
): Promise<AccountDataByRoom> {
  const changed = await listChangedAccountData(views, userId, { after, upTo });
  const rooms = new Map<RoomId, AccountData[]>();
  for (const data of changed) if (data.roomId !== undefined) addTo(rooms, data.roomId, data);
  return { global: changed.filter(({ roomId }) => roomId === undefined), rooms };
}

function addTo(rooms: Map<RoomId, AccountData[]>, roomId: RoomId, data: AccountData): void {
  const known = rooms.get(roomId);
  if (known === undefined) rooms.set(roomId, [data]);
  else known.push(data);
}
