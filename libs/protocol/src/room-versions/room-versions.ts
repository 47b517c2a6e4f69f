import type { RoomVersion } from './room-version.js';

/** The first room version; every later row says only what it changes: specification, "Room Versions". */
const V1: RoomVersion = {
  id: '1',
  stable: true,
  eventIds: 'opaque',
  references: 'pairs',
  strictCanonicalJson: false,
  stateResolution: 'v1',
  roomIdIsCreateHash: false,
  privilegedCreators: false,
  creatorInContent: true,
  enforceKeyValidity: false,
  aliasesAuthRule: true,
  redactionAuthRule: true,
  limitNotificationsPowerLevels: false,
  integerPowerLevels: false,
  knocking: false,
  restrictedJoins: false,
  knockRestrictedJoins: false,
  redactsInContent: false,
  stateDeletion: false,
  redaction: 'v1',
};
const V2: RoomVersion = { ...V1, id: '2', stateResolution: 'v2' };
const V3: RoomVersion = { ...V2, id: '3', eventIds: 'hash-base64', references: 'ids', redactionAuthRule: false };
const V4: RoomVersion = { ...V3, id: '4', eventIds: 'hash-base64url' };
const V5: RoomVersion = { ...V4, id: '5', enforceKeyValidity: true };
const V6: RoomVersion = {
  ...V5,
  id: '6',
  strictCanonicalJson: true,
  aliasesAuthRule: false,
  limitNotificationsPowerLevels: true,
  redaction: 'v6',
};
const V7: RoomVersion = { ...V6, id: '7', knocking: true };
const V8: RoomVersion = { ...V7, id: '8', restrictedJoins: true, redaction: 'v8' };
const V9: RoomVersion = { ...V8, id: '9', redaction: 'v9' };
const V10: RoomVersion = { ...V9, id: '10', integerPowerLevels: true, knockRestrictedJoins: true };
const V11: RoomVersion = { ...V10, id: '11', creatorInContent: false, redactsInContent: true, redaction: 'v11' };
const V12: RoomVersion = {
  ...V11,
  id: '12',
  stateResolution: 'v2.1',
  roomIdIsCreateHash: true,
  privilegedCreators: true,
};
/** Our own: the twelfth's rules, and state can be deleted. Its name is in our namespace, as only the specification's are short. */
const V12_DELETION: RoomVersion = { ...V12, id: 'dev.annals.12.deletion', stable: false, stateDeletion: true };

/** Every room version this server takes part in: the specification's, oldest first, then our own. */
export const ROOM_VERSIONS: readonly RoomVersion[] = Object.freeze(
  [V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12, V12_DELETION].map((version) => Object.freeze(version)),
);

/** The version of a new room whose creator asks for none: specification, "Room Versions". */
export const DEFAULT_ROOM_VERSION = '12';

/** The version of a room whose create event names none: client-server API, "m.room.create". */
export const FIRST_ROOM_VERSION = V1.id;

const BY_ID: ReadonlyMap<string, RoomVersion> = new Map(ROOM_VERSIONS.map((version) => [version.id, version]));

/** The rules of a room version by its identifier; undefined where this server does not know it. */
export function findRoomVersion(id: string): RoomVersion | undefined {
  return BY_ID.get(id);
}
