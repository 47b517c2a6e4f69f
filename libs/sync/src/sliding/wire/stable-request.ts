import { type JsonObject, isJsonObject } from '#kernel/json';
import type { RoomConfig, SlidingList, SlidingRequest } from '../sliding-request.js';
import { type StatePattern, WantedState } from '../wanted-state.js';
import {
  findBoolean,
  findList,
  findNumber,
  findObject,
  findText,
  readExtensions,
  readFilter,
  readLists,
  readRange,
  readSubscriptions,
  readTimelineLimit,
  refuse,
} from './read-request.js';

/** Specification, appendices, "Opaque Identifiers". */
const OPAQUE = /^[0-9A-Za-z._~-]{1,255}$/;

/**
 * Reads a request in the shape of MSC4186, all of which is in the body. The extensions are named as in the shape that was tried out, for
 * their own proposals know no other names. Throws M_INVALID_PARAM.
 */
export function readStableRequest(body: JsonObject): SlidingRequest {
  const lists = readLists(body, readList);
  for (const name of lists.keys()) if (!OPAQUE.test(name)) refuse('lists', 'not the name of a list');
  return {
    connId: findText(body, 'conn_id') ?? '',
    pos: findText(body, 'pos', 'pos', MAX_POS) || undefined,
    timeout: findNumber(body, 'timeout', 'timeout') ?? 0,
    lists,
    subscriptions: readSubscriptions(body, readConfig),
    extensions: readExtensions(body),
  };
}

const MAX_POS = 1_000;

function readConfig(config: JsonObject, path: string): RoomConfig {
  return { timelineLimit: readTimelineLimit(config, path), state: readRequiredState(config, path) };
}

function readList(list: JsonObject, path: string): SlidingList {
  const range = list['range'] ?? undefined;
  return {
    ...readConfig(list, path),
    ranges: range === undefined ? undefined : [readRange(range, `${path}.range`)],
    filter: readFilter(list, path, 'is_invited'),
  };
}

function readRequiredState(config: JsonObject, path: string): WantedState {
  const at = `${path}.required_state`;
  const state = findObject(config, 'required_state', at) ?? refuse(at, 'required');
  return WantedState.of([
    {
      include: readPatterns(state, 'include', `${at}.include`),
      exclude: readPatterns(state, 'exclude', `${at}.exclude`),
      lazyMembers: findBoolean(state, 'lazy_members', `${at}.lazy_members`) ?? false,
    },
  ]);
}

function readPatterns(state: JsonObject, key: string, path: string): StatePattern[] {
  return (findList(state, key, path) ?? []).map((element) => {
    if (!isJsonObject(element)) refuse(path, 'not a list of objects');
    const type = findText(element, 'type', path);
    const stateKey = findText(element, 'state_key', path);
    return { type, stateKey };
  });
}
