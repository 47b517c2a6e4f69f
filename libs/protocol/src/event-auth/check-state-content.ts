import { isRoomId, isUserId, type RoomId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { canonicalJson } from '../canonical-json/canonical-json.js';
import type { RoomEvent } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { isDeletable, isStateDeletion } from '../state-deletion.js';
import { refuseLevelsShape } from './authorize-power-levels.js';
import { isPrivilegedCreator, LEVEL_MAPS, LEVEL_NAMES } from './power-levels.js';

/** The room that a state event is meant for. */
export interface StateOfRoom {
  readonly roomId: RoomId;
  readonly version: RoomVersion;
  readonly createEvent: RoomEvent | undefined;
  /** The content of its m.room.power_levels now; undefined where there is none. */
  readonly levels?: JsonObject;
}

/** A state event as far as its content is checked. */
export interface StateContent {
  readonly type: string;
  readonly stateKey: string;
  readonly content: JsonObject;
}

type Check = (event: StateContent, room: StateOfRoom) => void;

/** The state that rules of the protocol read: authorisation, distribution, who may join and what newcomers see. */
const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['m.room.create', checkCreate],
  ['m.room.join_rules', checkJoinRules],
  ['m.room.power_levels', checkPowerLevels],
  ['m.room.history_visibility', checkHistoryVisibility],
  ['m.room.guest_access', ({ content }) => checkText(content, 'guest_access')],
  ['m.room.member', checkMember],
  ['m.room.third_party_invite', checkThirdPartyInvite],
  ['m.room.server_acl', checkServerAcl],
  ['m.room.tombstone', checkTombstone],
  ['m.room.canonical_alias', checkCanonicalAlias],
  ['m.room.redaction', refuseRedaction],
]);

/**
 * Checks that the rules can read what a user of this server sets: "Some sections of the state may determine behaviour of the
 * protocol, including authorisation and distribution. These sections must not be encrypted" (2015, "State"). Only for events
 * that begin here: what other servers send is judged by the authorisation rules alone, or servers would disagree.
 *
 * Throws M_BAD_JSON where a key has not the type that the specification's event schemas give it, M_INVALID_PARAM where the
 * value is of that type and nonetheless not possible, or may not be deleted. Of what deletes a key nobody reads the rest.
 */
export function checkStateContent(event: StateContent, room: StateOfRoom): void {
  const check = CHECKS.get(event.type);
  if (isStateDeletion(event, room.version) && check !== refuseRedaction) {
    if (!isDeletable(event.type)) throw invalid(`${event.type}: cannot be deleted`);
    return;
  }
  if (check === undefined) return;
  // None of these types knows this key; with all of its own keys left out, an encrypted payload could pass for an empty one.
  if (event.content['ciphertext'] !== undefined) throw bad('ciphertext: this type of event cannot be encrypted');
  check(event, room);
}

/**
 * Where redactions name their event in the content, whoever reads this one (clients, other servers) takes it for a redaction,
 * and the event would be gone for them alone: as state it takes effect on nothing.
 */
function refuseRedaction(): never {
  throw invalid('m.room.redaction: is not state');
}

/** `creator`, `room_version` and, where they have power, `additional_creators` are the server's to write. */
function checkCreate({ content }: StateContent): void {
  const { 'm.federate': federate, predecessor } = content;
  if (federate !== undefined && typeof federate !== 'boolean') throw bad('m.federate: must be true or false');
  checkTextOrNull(content, 'type');
  if (predecessor === undefined || predecessor === null) return;
  if (!isJsonObject(predecessor)) throw bad('predecessor: must be an object');
  checkText(predecessor, 'room_id');
  checkTextOrNull(predecessor, 'event_id');
}

function checkJoinRules({ content }: StateContent): void {
  checkText(content, 'join_rule');
  // What is in the list may be of kinds that this server does not know: it then lets nobody in.
  checkList(content, 'allow');
}

function checkPowerLevels({ content }: StateContent, { version, createEvent, levels = {} }: StateOfRoom): void {
  const { users } = content;
  if (version.privilegedCreators && createEvent !== undefined && isJsonObject(users)) {
    const creator = Object.keys(users).find((user) => isPrivilegedCreator(user, createEvent));
    if (creator !== undefined) throw invalid(`users: ${creator} is a creator of the room, above all power levels`);
  }
  const refusal = refuseLevelsShape(content, version, createEvent);
  if (refusal !== undefined) throw bad(refusal);
  checkNewLevels(content, levels);
  checkNewUsers(users, levels['users']);
}

/**
 * "A homeserver should take reasonable precautions to prevent users from sending new power level events with string values":
 * server-server API, "Definitions". What a room of old has already may stand, or nobody could change anything else there.
 */
function checkNewLevels(content: JsonObject, before: JsonObject): void {
  for (const name of LEVEL_NAMES) checkNewLevel(name, content[name], before[name]);
  for (const name of LEVEL_MAPS) {
    const [map, mapBefore] = [content[name], before[name]];
    for (const key of isJsonObject(map) ? Object.keys(map) : []) {
      checkNewLevel(`${name}: ${key}`, (map as JsonObject)[key], isJsonObject(mapBefore) ? mapBefore[key] : undefined);
    }
  }
}

/** The rules bear more than user ids among the users. */
function checkNewUsers(users: JsonValue | undefined, before: JsonValue | undefined): void {
  for (const user of isJsonObject(users) ? Object.keys(users) : []) {
    const isKept = isJsonObject(before) && before[user] !== undefined;
    if (!isUserId(user) && !isKept) throw bad(`users: not a user ID: ${user.slice(0, 80)}`);
  }
}

function checkNewLevel(what: string, level: JsonValue | undefined, before: JsonValue | undefined): void {
  if (level === undefined || Number.isSafeInteger(level)) return;
  const isKept =
    before !== undefined && canonicalJson(level, { lenient: true }) === canonicalJson(before, { lenient: true });
  if (!isKept) throw bad(`${what}: must be an integer`);
}

const VISIBILITIES: ReadonlySet<unknown> = new Set(['invited', 'joined', 'shared', 'world_readable']);

function checkHistoryVisibility({ content }: StateContent): void {
  checkText(content, 'history_visibility');
  // What is not known counts as `shared`, which may be far more than a misspelt `joined` was to show.
  if (VISIBILITIES.has(content['history_visibility'])) return;
  throw invalid(`history_visibility: not one of ${[...VISIBILITIES].join(', ')}`);
}

const MEMBERSHIPS: ReadonlySet<unknown> = new Set(['invite', 'join', 'knock', 'leave', 'ban']);

function checkMember({ stateKey, content }: StateContent): void {
  checkMemberKey(stateKey);
  checkText(content, 'membership');
  if (!MEMBERSHIPS.has(content['membership'])) throw bad(`membership: not one of ${[...MEMBERSHIPS].join(', ')}`);
  checkTextOrNull(content, 'displayname');
  checkTextOrNull(content, 'avatar_url');
  const invite = content['third_party_invite'];
  if (invite !== undefined && !isJsonObject(invite)) throw bad('third_party_invite: must be an object');
}

/** M_INVALID_PARAM for a state key of m.room.member that is no user's. */
export function checkMemberKey(stateKey: string): void {
  if (!isUserId(stateKey)) throw invalid(`Not a user ID: ${stateKey.slice(0, 80)}`);
}

/** An empty content takes an invite back. */
function checkThirdPartyInvite({ content }: StateContent): void {
  checkTextOrNull(content, 'display_name');
  checkTextOrNull(content, 'key_validity_url');
  checkTextOrNull(content, 'public_key');
  for (const key of checkList(content, 'public_keys')) {
    if (!isJsonObject(key)) throw bad('public_keys: must be a list of objects');
    checkText(key, 'public_key');
    checkTextOrNull(key, 'key_validity_url');
  }
}

function checkServerAcl({ content }: StateContent): void {
  for (const name of ['allow', 'deny']) {
    if (checkList(content, name).some((server) => typeof server !== 'string')) {
      throw bad(`${name}: must be a list of strings`);
    }
  }
  // `allow_ip_literals` may be anything: it "defaults to true if missing or otherwise not a boolean".
}

function checkTombstone({ content }: StateContent, { roomId }: StateOfRoom): void {
  checkTextOrNull(content, 'body');
  checkTextOrNull(content, 'replacement_room');
  const { replacement_room: replacement } = content;
  // A room may end without another in its place.
  if (typeof replacement !== 'string' || replacement === '') return;
  if (!isRoomId(replacement)) throw invalid(`replacement_room: not a room ID: ${replacement.slice(0, 80)}`);
  if (replacement === roomId) throw invalid('replacement_room: a room cannot be replaced by itself');
}

/** Whether the aliases are this room's is asked where they are known. */
function checkCanonicalAlias({ content }: StateContent): void {
  checkTextOrNull(content, 'alias');
  if (content['alt_aliases'] !== null) checkList(content, 'alt_aliases');
}

function checkText(content: JsonObject, key: string): void {
  if (typeof content[key] !== 'string') throw bad(`${key}: must be a string`);
}

/** Also for what may be left out. */
function checkTextOrNull(content: JsonObject, key: string): void {
  const value = content[key];
  if (value !== undefined && value !== null && typeof value !== 'string') throw bad(`${key}: must be a string`);
}

function checkList(content: JsonObject, key: string): readonly JsonValue[] {
  const value = content[key];
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw bad(`${key}: must be a list`);
  return value as readonly JsonValue[];
}

const bad = (reason: string): MatrixError => new MatrixError('M_BAD_JSON', reason);
const invalid = (reason: string): MatrixError => new MatrixError('M_INVALID_PARAM', reason);
