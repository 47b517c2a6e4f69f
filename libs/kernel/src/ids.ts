import { MatrixError } from './matrix-error.js';
import { tellValue } from './tell-value.js';

/** Identifiers, parsed once at the door and branded: specification, appendices, "Identifier Grammar". */
export type UserId = string & { readonly __brand: 'UserId' };
export type RoomId = string & { readonly __brand: 'RoomId' };
export type EventId = string & { readonly __brand: 'EventId' };
export type RoomAlias = string & { readonly __brand: 'RoomAlias' };
export type ServerName = string & { readonly __brand: 'ServerName' };
export type DeviceId = string & { readonly __brand: 'DeviceId' };

const MAX_BYTES = 255;
const SERVER_NAME = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(?::\d{1,5})?$/;

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_BYTES && !text.includes('\0');
}

/** Whether a text is a server name: host or IP literal, with an optional port. */
export function isServerName(text: string): text is ServerName {
  return fits(text) && SERVER_NAME.test(text);
}

/** A user id by the historical grammar (any localpart of printable characters is accepted, as other servers may hold them). */
export function isUserId(text: string): text is UserId {
  const colon = text.indexOf(':');
  return text.startsWith('@') && colon > 0 && fits(text) && isServerName(text.slice(colon + 1));
}

/** A room id: `!opaque:server`, or `!hash` with no server from room version 12 on. */
export function isRoomId(text: string): text is RoomId {
  return text.length > 1 && text.startsWith('!') && fits(text);
}

/** An event id of any room version: `$opaque:server` or `$hash`. */
export function isEventId(text: string): text is EventId {
  return text.length > 1 && text.startsWith('$') && fits(text);
}

/** A room alias: `#localpart:server`. */
export function isRoomAlias(text: string): text is RoomAlias {
  const colon = text.indexOf(':');
  return text.startsWith('#') && colon > 1 && fits(text) && isServerName(text.slice(colon + 1));
}

/** A device id: whatever a client chose, of 1 to 255 bytes. */
function isDeviceId(text: string): text is DeviceId {
  return text !== '' && fits(text);
}

function parser<T extends string>(what: string, is: (text: string) => text is T & string) {
  return (text: unknown): T => {
    if (typeof text === 'string' && is(text)) return text;
    throw new MatrixError('M_INVALID_PARAM', `Not ${what}: ${tellValue(text).slice(0, 80)}`);
  };
}

/** Each answers the branded id or throws M_INVALID_PARAM. For user ids see `parseUserId`. */
export const parseRoomId = parser<RoomId>('a room ID', isRoomId);
export const parseEventId = parser<EventId>('an event ID', isEventId);
export const parseRoomAlias = parser<RoomAlias>('a room alias', isRoomAlias);
export const parseDeviceId = parser<DeviceId>('a device ID', isDeviceId);

const parseAnyUserId = parser<UserId>('a user ID', isUserId);

/**
 * The user id that a client names. Those of this server (`ours`) are case-insensitive (the specification of 2014 and 2015,
 * "Architecture"), so they are read in small letters; those of other servers are theirs. For doors alone: what an event
 * holds, or a signature covers, is never another text. Throws M_INVALID_PARAM.
 */
export function parseUserId(text: unknown, ours: ServerName): UserId {
  return foldUserId(parseAnyUserId(text), ours);
}

const CAPITALS = /[A-Z]+/g;

/**
 * A user name in small letters. Only A to Z: no account has other letters, and by Unicode's rules some of them (the sign for
 * kelvin) would become letters that accounts have.
 */
export function foldLocalpart(localpart: string): string {
  return localpart.replace(CAPITALS, (capitals) => capitals.toLowerCase());
}

/** The user id itself, or where it is one of this server the same in small letters. */
export function foldUserId(userId: UserId, ours: ServerName): UserId {
  if (serverNameOf(userId) !== ours) return userId;
  return `@${foldLocalpart(localpartOf(userId))}:${ours}` as UserId; // as long as it was, and with the same server
}

/**
 * The one text for all spellings of a room alias that differ in case alone: aliases are case-insensitive (the specification
 * of 2014 and 2015, "Room Aliases"). For comparing the aliases of one server with each other; what is shown, or is in an
 * event, stays as it was spelled. Server names are compared letter by letter.
 *
 * Aliases may be in any script, so case is Unicode's, of no language: down, up and down again, since one step alone leaves
 * pairs apart (ẞ and ss, ς and Σ), each letter down by itself (whether a Σ ends a word must not matter), and composed, so
 * that an é is an é. A dotless ı and i are one, having one capital.
 */
export function foldRoomAlias(alias: RoomAlias): string {
  let folded = '';
  for (const letter of localpartOf(alias).normalize('NFC').toLowerCase().toUpperCase()) folded += letter.toLowerCase();
  return `#${folded.normalize('NFC')}:${serverNameOf(alias)}`;
}

/** The part of an identifier after its first colon; undefined where there is none (room ids of version 12, hashed event ids). */
export function serverNameOf(id: UserId | RoomAlias): ServerName;
export function serverNameOf(id: RoomId | EventId): ServerName | undefined;
export function serverNameOf(id: string): ServerName | undefined {
  const colon = id.indexOf(':');
  return colon < 0 ? undefined : (id.slice(colon + 1) as ServerName);
}

/** The part of an identifier between its sigil and its first colon. */
export function localpartOf(id: UserId | RoomAlias): string {
  return id.slice(1, id.indexOf(':'));
}
