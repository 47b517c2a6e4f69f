import type { RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { asJson, Collection, type RowCodec } from '#projections/collection';

/** The length of a position's text. */
const POSITION_LENGTH = START.length;

/** The position of the last change, and the content's JSON text. Whoever only passes the content on parses nothing. */
export interface AccountDataRow {
  readonly position: Position;
  readonly content: string;
}

/** The position, then the content. */
const accountDataText: RowCodec<AccountDataRow> = {
  encode: ({ position, content }) => position + content,
  decode: (text) => ({ position: text.slice(0, POSITION_LENGTH) as Position, content: text.slice(POSITION_LENGTH) }),
};

export const ACCOUNT_DATA = new Collection<
  readonly [userId: UserId, roomId: RoomId | '', type: string],
  AccountDataRow
>('account-data', {
  key: ['user', 'room or empty', 'type'],
  says: 'position of the last change, and content',
  codec: accountDataText,
});

/** Which piece of account data of a user. */
export type AccountDataLogRow = readonly [roomId: RoomId | '', type: string];

export const ACCOUNT_DATA_LOG = new Collection<readonly [userId: UserId, position: Position], AccountDataLogRow>(
  'account-data-log',
  { key: ['user', 'position'], says: 'room and type of what changed last there', codec: asJson() },
);
