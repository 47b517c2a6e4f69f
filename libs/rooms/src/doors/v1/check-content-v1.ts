import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';

/** "Each m.room.message MUST have a msgtype key", and what each type requires beside it: API v1, "m.room.message msgtypes". */
const REQUIRED: Readonly<Record<string, string>> = {
  'm.text': 'body',
  'm.emote': 'body',
  'm.notice': 'body',
  'm.image': 'url',
  'm.audio': 'url',
  'm.video': 'url',
  'm.location': 'geo_uri',
};

/**
 * Checks content against the formats that API v1 gives its own event types: "Room Events". Other types, and other keys, are
 * the client's own. Throws M_BAD_JSON.
 */
export function checkContentV1(type: string, content: JsonObject): void {
  switch (type) {
    case 'm.room.message':
      return checkMessage(content);
    case 'm.room.message.feedback':
      return checkFeedback(content);
    case 'm.room.name':
      return checkText(content, 'name');
    case 'm.room.topic':
      return checkText(content, 'topic');
    case 'm.room.power_levels':
      return checkLevels(content);
    default:
      return undefined;
  }
}

function checkMessage(content: JsonObject): void {
  checkText(content, 'msgtype');
  const { msgtype, body } = content;
  const required = Object.hasOwn(REQUIRED, String(msgtype)) ? REQUIRED[String(msgtype)] : undefined;
  if (required !== undefined) checkText(content, required);
  if (body !== undefined) checkText(content, 'body');
}

/** "Bad feedback type" is 400: `m.room.message.feedback`. */
function checkFeedback(content: JsonObject): void {
  const { type } = content;
  if (type !== 'delivered' && type !== 'read') throw new MatrixError('M_BAD_JSON', 'type: neither delivered nor read');
  checkText(content, 'target_event_id');
}

/**
 * NOTSPEC: "JSON format: { "<user_id>": <int>, ..., "default": <int> }" is that of rooms before there were room versions. In
 * those there are it means that nobody has a level, the sender neither, and nobody could ever set one again.
 */
function checkLevels(content: JsonObject): void {
  const flat = Object.keys(content).find((key) => key === 'default' || key.startsWith('@'));
  if (flat === undefined) return;
  const message = `${flat}: levels of users are in "users", the level of all others is "users_default"`;
  throw new MatrixError('M_BAD_JSON', message);
}

function checkText(content: JsonObject, key: string): void {
  if (typeof content[key] !== 'string') throw new MatrixError('M_BAD_JSON', `${key}: must be a string`);
}
