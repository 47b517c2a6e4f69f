import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { type Query, queryText, queryInteger } from '#http/query';
import type { RoomConfig, SlidingList, SlidingRequest } from '../sliding-request.js';
import { type StatePattern, WantedState } from '../wanted-state.js';
import {
  findList,
  findText,
  readExtensions,
  readFilter,
  readLists,
  readRange,
  readSubscriptions,
  readTimelineLimit,
  refuse,
} from './read-request.js';

const MOST_RANGES = 100;
const MEMBER = 'm.room.member';

/** A request in the shape that was tried out (`org.matrix.simplified_msc3575`), and what of it goes back with the answer. */
export interface UnstableRequest {
  readonly request: SlidingRequest;
  readonly txnId: string | undefined;
}

/** Reads a request of the unstable shape. Throws M_INVALID_PARAM. */
export function readUnstableRequest(query: Query, body: JsonObject, userId: UserId): UnstableRequest {
  const readConfig = (config: JsonObject, path: string): RoomConfig => ({
    timelineLimit: readTimelineLimit(config, path),
    state: readRequiredState(config, `${path}.required_state`, userId),
  });
  const readList = (list: JsonObject, path: string): SlidingList => ({
    ...readConfig(list, path),
    ranges: readRanges(list, `${path}.ranges`),
    filter: readFilter(list, path, 'is_invite'),
  });
  const request: SlidingRequest = {
    connId: findText(body, 'conn_id') ?? '',
    pos: queryText(query, 'pos'),
    timeout: queryInteger(query, 'timeout') ?? 0,
    lists: readLists(body, readList),
    subscriptions: readSubscriptions(body, readConfig),
    extensions: readExtensions(body),
  };
  return { request, txnId: findText(body, 'txn_id') };
}

function readRanges(list: JsonObject, path: string): SlidingList['ranges'] {
  const ranges = findList(list, 'ranges', path);
  if (ranges !== undefined && ranges.length > MOST_RANGES) refuse(path, 'too many');
  return ranges?.map((range) => readRange(range, path));
}

/** Pairs of a type and a state key: `*` stands for all, `$ME` for who asks, `$LAZY` for members as they are needed. */
function readRequiredState(config: JsonObject, path: string, userId: UserId): WantedState {
  const include: StatePattern[] = [];
  let lazyMembers = false;
  for (const pair of findList(config, 'required_state', path) ?? []) {
    const [type, key, more] = Array.isArray(pair) ? (pair as readonly unknown[]) : [];
    if (typeof type !== 'string' || typeof key !== 'string' || more !== undefined) refuse(path, 'not pairs of texts');
    if (key === '$LAZY') {
      lazyMembers ||= type === MEMBER;
      continue;
    }
    const stateKey = key === '$ME' ? userId : key;
    include.push({ type: type === '*' ? undefined : type, stateKey: stateKey === '*' ? undefined : stateKey });
  }
  return WantedState.of([{ include, exclude: [], lazyMembers }]);
}
