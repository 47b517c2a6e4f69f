import { readUserId } from '#http/read-user-id';
import type { UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import type { ListChanges } from '../commands/change-presence-list.js';

/** So many users a request may name, so many groups somebody may be in, and so long a name of one may be. */
const MOST_USERS = 1_000;
const MOST_GROUPS = 50;
const MOST_GROUP_BYTES = 255;

/**
 * The body of a change of a presence list: `invite` and `drop`, as the documents have it, and what they leave open: `accept`, `decline`, and
 * `groups`, from users to the names of theirs. Throws M_BAD_JSON, M_INVALID_PARAM.
 */
export function readListChanges(requester: Requester, body: JsonObject): ListChanges {
  return {
    invite: readUsers(requester, body, 'invite'),
    drop: readUsers(requester, body, 'drop'),
    accept: readUsers(requester, body, 'accept'),
    decline: readUsers(requester, body, 'decline'),
    groups: readGroups(requester, body['groups']),
  };
}

function readUsers(requester: Requester, body: JsonObject, key: string): UserId[] {
  const users = body[key];
  if (users === undefined || users === null) return [];
  if (!Array.isArray(users)) throw new MatrixError('M_BAD_JSON', `${key}: not a list of user IDs`);
  checkCount(users.length, key);
  return [...new Set(users.map((user) => readUserId(requester, user)))];
}

function readGroups(requester: Requester, groups: JsonValue | undefined): Map<UserId, readonly string[]> {
  if (groups === undefined || groups === null) return new Map();
  if (!isJsonObject(groups)) throw new MatrixError('M_BAD_JSON', 'groups: not an object');
  const entries = Object.entries(groups);
  checkCount(entries.length, 'groups');
  return new Map(entries.map(([user, names]) => [readUserId(requester, user), readNames(names)]));
}

function readNames(names: JsonValue | undefined): string[] {
  if (!Array.isArray(names) || !names.every(isName)) {
    throw new MatrixError('M_BAD_JSON', `groups: not a list of names, each of 1 to ${MOST_GROUP_BYTES} bytes`);
  }
  if (names.length > MOST_GROUPS)
    throw new MatrixError('M_INVALID_PARAM', `groups: more than ${MOST_GROUPS} of one user`);
  return names;
}

function isName(name: JsonValue): name is string {
  return typeof name === 'string' && name !== '' && Buffer.byteLength(name) <= MOST_GROUP_BYTES && !/[\0\n]/.test(name);
}

function checkCount(count: number, key: string): void {
  if (count > MOST_USERS) throw new MatrixError('M_INVALID_PARAM', `${key}: more than ${MOST_USERS} users`);
}
