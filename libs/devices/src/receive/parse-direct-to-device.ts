import { type DeviceId, isUserId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import type { Messages } from '../decide/check-messages.js';

/** A message to devices here, as another server told it. */
export interface DirectToDevice {
  readonly sender: UserId;
  readonly type: string;
  readonly messageId: string;
  readonly messages: Messages;
}

/**
 * The content of an `m.direct_to_device` (server-server API, "Send-to-device messaging"), whose sender must be of the server that tells it.
 * What in it is not for a user, or no object, is left out. Throws M_BAD_JSON, M_FORBIDDEN.
 */
export function parseDirectToDevice(origin: ServerName, content: JsonObject): DirectToDevice {
  const { sender, type, message_id: messageId, messages } = content;
  if (typeof sender !== 'string' || !isUserId(sender)) throw new MatrixError('M_BAD_JSON', 'sender: must be a user ID');
  if (serverNameOf(sender) !== origin) throw new MatrixError('M_FORBIDDEN', 'The sender is of another server');
  if (typeof type !== 'string') throw new MatrixError('M_BAD_JSON', 'type: must be a string');
  if (typeof messageId !== 'string') throw new MatrixError('M_BAD_JSON', 'message_id: must be a string');
  if (!isJsonObject(messages)) throw new MatrixError('M_BAD_JSON', 'messages: must be an object');
  const parsed = new Map<UserId, ReadonlyMap<DeviceId | '*', string>>();
  for (const [userId, byDevice] of Object.entries(messages)) {
    if (isUserId(userId) && isJsonObject(byDevice)) parsed.set(userId, contentsIn(byDevice));
  }
  return { sender, type, messageId, messages: parsed };
}

function contentsIn(byDevice: JsonObject): ReadonlyMap<DeviceId | '*', string> {
  const contents = new Map<DeviceId | '*', string>();
  for (const [deviceId, content] of Object.entries(byDevice)) {
    // Whatever the id is: only what is the id of a device is sent to.
    if (isJsonObject(content)) contents.set(deviceId as DeviceId, canonicalJson(content, { lenient: true }));
  }
  return contents;
}
