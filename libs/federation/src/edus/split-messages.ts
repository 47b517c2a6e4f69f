import { readSent, senderOfStream, serverReaching } from '#devices/facts/to-device-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { shortHash } from '#kernel/short-hash';
import type { Edu } from '../sending/edu-source.js';

export const DIRECT_TO_DEVICE = 'm.direct_to_device';
/** NOTSPEC: no server takes much larger ones well. A message that has more by itself goes alone. */
const MOST_BYTES = 65_536;
/** `:{},` and `:,` around what is for a user, and for a device. */
const [AROUND_USER, AROUND_DEVICE] = [4, 2];

/** One message: for whom it is, and its content as JSON text. */
type Message = readonly [userId: string, deviceId: string, content: string];

/**
 * What the servers of a `to-device-sent` are told, in the order in which it was addressed: server-server API, "Send-to-device
 * messaging". The same fact is always told by the same ids.
 */
export function splitMessages(
  fact: Pick<RecordedFact, 'id' | 'stream' | 'data' | 'metadata'>,
): ReadonlyMap<ServerName, readonly Edu[]> {
  const { type, to, contents } = readSent(fact);
  const messages = new Map<ServerName, Message[]>();
  for (const receiver of to) {
    const server = serverReaching(fact.stream, receiver);
    if (server === undefined) continue;
    const [userId, deviceId, content] = receiver;
    const known = messages.get(server) ?? [];
    messages.set(server, known);
    known.push([userId, deviceId, contents[content]!]);
  }
  const head = { sender: senderOfStream(fact.stream), type };
  const edusFor = (server: ServerName, own: readonly Message[]): Edu[] =>
    inParts(own, bytesOf(head)).map((part, i) => ({
      edu_type: DIRECT_TO_DEVICE,
      content: { ...head, message_id: shortHash(`${fact.id} ${server} ${i}`), messages: byUser(part) },
    }));
  return new Map([...messages].map(([server, own]) => [server, edusFor(server, own)]));
}

/** What the messages come into, without them. */
function bytesOf(head: JsonObject): number {
  const empty = {
    edu_type: DIRECT_TO_DEVICE,
    content: { ...head, message_id: shortHash(''), messages: {} },
  };
  return Buffer.byteLength(JSON.stringify(empty));
}

function inParts(messages: readonly Message[], emptyBytes: number): Message[][] {
  const parts: Message[][] = [];
  let bytes = Infinity;
  let users = new Set<string>();
  for (const message of messages) {
    const [userId, deviceId, content] = message;
    const forUser = textBytes(userId) + AROUND_USER;
    const own = textBytes(deviceId) + AROUND_DEVICE + Buffer.byteLength(content);
    bytes += own + (users.has(userId) ? 0 : forUser);
    if (bytes > MOST_BYTES) {
      parts.push([]);
      users = new Set();
      bytes = emptyBytes + forUser + own;
    }
    users.add(userId);
    parts.at(-1)!.push(message);
  }
  return parts;
}

function byUser(messages: readonly Message[]): JsonObject {
  const users = new Map<string, [deviceId: string, content: JsonObject][]>();
  for (const [userId, deviceId, content] of messages) {
    const devices = users.get(userId) ?? [];
    users.set(userId, devices);
    devices.push([deviceId, JSON.parse(content) as JsonObject]); // a message is an object
  }
  return Object.fromEntries([...users].map(([userId, devices]) => [userId, Object.fromEntries(devices)]));
}

function textBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}
