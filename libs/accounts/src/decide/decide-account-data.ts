import type { RoomId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { AccountDataSet, AccountFact, RoomSucceeded } from '../facts/account-facts.js';
import type { Account } from './account.js';
import { checkActive } from './decide-account.js';

const MAX_NAME_BYTES = 255;

/** Types that the server manages: clients read them here and write them elsewhere (client-server API, "Client Config"). */
const SERVER_MANAGED: ReadonlySet<string> = new Set(['m.fully_read', 'm.push_rules']);

/** Throws 405 M_BAD_JSON for a type that clients may not write. */
export function checkClientMayWrite(type: string): void {
  if (SERVER_MANAGED.has(type)) {
    throw new MatrixError('M_BAD_JSON', `Cannot set ${type} through this API`, { status: 405 });
  }
}

/** Throws M_INVALID_PARAM for what cannot be the name of something kept. */
export function checkName(what: string, name: string): void {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new MatrixError('M_INVALID_PARAM', `The ${what} must have 1 to ${MAX_NAME_BYTES} bytes`);
  }
}

/** A tag and what is kept with it. `order`, where given, is a number from 0 to 1 (module "Room Tagging"). */
function checkTag(tag: string, content: JsonObject): void {
  checkName('tag', tag);
  const order = content['order'];
  if (order !== undefined && (typeof order !== 'number' || order < 0 || order > 1)) {
    throw new MatrixError('M_BAD_JSON', "'order' must be a number from 0 to 1");
  }
}

/** The tags of a room all at once: what is read back one by one is held to what sets them one by one. */
function checkTags({ tags = {} }: JsonObject): void {
  if (!isJsonObject(tags)) throw new MatrixError('M_BAD_JSON', "'tags' must be an object");
  for (const [tag, content] of Object.entries(tags)) {
    if (!isJsonObject(content)) throw new MatrixError('M_BAD_JSON', 'A tag must be an object');
    checkTag(tag, content);
  }
}

/** Private data of the account, or of a room where one is given. */
export function decideAccountData(
  account: Account,
  roomId: RoomId | undefined,
  type: string,
  content: JsonObject,
): AccountFact[] {
  checkActive(account);
  checkName('type', type);
  if (roomId !== undefined && type === 'm.tag') checkTags(content);
  return [{ type: 'account-data-set', data: { ...(roomId === undefined ? {} : { room_id: roomId }), type, content } }];
}

/** A tag on a room. */
export function decideTag(account: Account, roomId: RoomId, tag: string, content: JsonObject): AccountFact[] {
  checkActive(account);
  checkTag(tag, content);
  return [{ type: 'tag-set', data: { room_id: roomId, tag, content } }];
}

/** The end of a tag; that it was not there is no error. */
export function decideTagRemoval(account: Account, roomId: RoomId, tag: string): AccountFact[] {
  checkActive(account);
  checkName('tag', tag);
  return [{ type: 'tag-removed', data: { room_id: roomId, tag } }];
}

/** What followed the user from one room into another, and that it did. Nothing where it has followed already. */
export function decideSuccession(
  account: Account,
  succeeded: RoomSucceeded,
  data: readonly AccountDataSet[],
): AccountFact[] {
  checkActive(account);
  if (account.successors.has(succeeded.to)) return [];
  const sets = data.map((each): AccountFact => ({ type: 'account-data-set', data: each }));
  return [{ type: 'room-succeeded', data: succeeded }, ...sets];
}

/** A filter under the id made of it. Nothing where the user has it already. */
export function decideFilter(account: Account, filterId: string, filter: JsonObject): AccountFact[] {
  checkActive(account);
  return account.filters.has(filterId) ? [] : [{ type: 'filter-created', data: { filter_id: filterId, filter } }];
}
