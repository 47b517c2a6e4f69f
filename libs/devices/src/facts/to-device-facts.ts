import { randomBytes } from 'node:crypto';
import type { NewFact } from '#event-store/event-store';
import type { FactBody, FactShapes } from '#event-store/fact-shapes';
import { type DeviceId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import { type DeviceKey, deviceOfStream, streamOfDevice } from './device-streams.js';

/** What a device sent to others, in the order in which it did. */
export const SENT_STREAM_PREFIX = 'sent-';
export const sentStream = (device: DeviceKey): string => streamOfDevice(SENT_STREAM_PREFIX, device);
const deviceOfSentStream = (stream: string): DeviceKey => deviceOfStream(SENT_STREAM_PREFIX, stream);

/** What a user of another server sent to devices here, in the order in which their server told it. */
export const RECEIVED_STREAM_PREFIX = 'received-';
export const receivedStream = (sender: UserId): string => `${RECEIVED_STREAM_PREFIX}${sender}`;

/** Who sent what stands in a stream of messages. */
export function senderOfStream(stream: string): UserId {
  const isReceived = stream.startsWith(RECEIVED_STREAM_PREFIX);
  return isReceived ? (stream.slice(RECEIVED_STREAM_PREFIX.length) as UserId) : deviceOfSentStream(stream)[0];
}

/** What waits for another server stands where what waits for a device does: as if the server were one. No user has its name. */
export const mailboxOfServer = (server: ServerName): DeviceKey => [server as string as UserId, '' as DeviceId];

/** The other server that is to hand on what somebody here sent to a device; undefined where the device is of this server. */
export function serverReaching(stream: string, [userId]: Receiver): ServerName | undefined {
  if (stream.startsWith(RECEIVED_STREAM_PREFIX)) return undefined;
  const server = serverNameOf(userId);
  return server === serverNameOf(senderOfStream(stream)) ? undefined : server;
}

/** Where a message of a stream waits until it is taken. */
export function mailboxOf(stream: string, receiver: Receiver): DeviceKey {
  const server = serverReaching(stream, receiver);
  return server === undefined ? [receiver[0], receiver[1]] : mailboxOfServer(server);
}

/** How far a device has collected what was sent to it: only the last fact counts, and the others go from the log. */
export const INBOX_STREAM_PREFIX = 'inbox-';
export const inboxStream = (device: DeviceKey): string => streamOfDevice(INBOX_STREAM_PREFIX, device);
export const deviceOfInboxStream = (stream: string): DeviceKey => deviceOfStream(INBOX_STREAM_PREFIX, stream);

/** A device that a message is for, and which of the contents; of a user of another server as it was addressed, `*` too. */
export type Receiver = readonly [userId: UserId, deviceId: DeviceId, content: number];

/**
 * In `sent-{user_id}|{device_id}`: `to-device-sent`: one transaction of the device. In `received-{user_id}`: one message of a user of another
 * server, whose id is the transaction. Who is to have what is the tail: of that those
 * receivers go who have collected it, and with the last of them all of it. What remains tells a retry of the transaction from a new one.
 */
export interface ToDeviceSent {
  readonly type: string;
  readonly txn: string;
  /** The devices there were of those it was addressed to, and those of other servers. */
  readonly to: readonly Receiver[];
  readonly contents: readonly JsonObject[];
}

/** The messages of some senders: revisions of `to-device-sent` by the streams they stand in. */
export type SentFacts = Readonly<Record<string, readonly number[]>>;

/**
 * In `inbox-{user_id}|{device_id}`: `to-device-collected`: the device has what was sent to it up to a place. The place is one of the
 * log with this id; in a copy of that only `from` counts, which says what was there to be collected.
 */
export interface ToDeviceCollected {
  readonly up_to: Position;
  readonly log_id: string | null;
  readonly from: SentFacts;
  /** What `from` names is taken wherever it stands, and what is before it waits: the place is as the fact before said it. */
  readonly alone?: true;
}

/** Why messages went that nobody had collected: they were too old, too many, too large together, or the device was removed. */
export type ExpiryReason = 'age' | 'number' | 'size' | 'device-removed';

/** In `inbox-{user_id}|{device_id}`: `to-device-expired`: what was sent to the device up to a place is dropped. */
export interface ToDeviceExpired extends ToDeviceCollected {
  readonly reason: ExpiryReason;
}

/**
 * In `inbox-{user_id}|{device_id}`: `to-device-crowded-out`: of what waits for the device, what `from` names is dropped, wherever it
 * stands: its senders had most there. The place is as the fact before said it, so that this one may be all that is left of the stream.
 */
export interface ToDeviceCrowdedOut extends ToDeviceCollected {
  readonly reason: Extract<ExpiryReason, 'number' | 'size'>;
}

/** Whether of what waits for a device a fact takes what it names alone, and not all up to a place. */
export function takesNamedAlone(type: string, { alone }: Pick<ToDeviceCollected, 'alone'>): boolean {
  return type === 'to-device-crowded-out' || alone === true;
}

/** How old shapes of these facts become today's. */
export const TO_DEVICE_SHAPES = {
  'to-device-sent': [],
  'to-device-collected': [],
  'to-device-expired': [],
  'to-device-crowded-out': [],
} as const satisfies FactShapes;

/** A transaction of a device stands in the log until so many have followed it, or for so long: to tell a retry. */
export const TRANSACTIONS_KEPT = 256;
export const TRANSACTIONS_KEPT_MS = 60 * 60_000;
/** What another server told: it may tell it again after it, or we, were away. */
export const RECEIVED_KEPT_MS = 24 * 60 * 60_000;

const SALT_BYTES = 16;
const CONTENTS = ',"contents":[';
const TO = '"to":';

/** `to-device-sent` as text, and where its tail begins. `contents`: as JSON texts. */
export function textOfSent(
  { type, txn }: Pick<ToDeviceSent, 'type' | 'txn'>,
  to: readonly Receiver[],
  contents: readonly string[],
): Required<FactBody> {
  const head = `${JSON.stringify({ type, txn }).slice(0, -1)},`;
  return { data: head + tailOfSent(to, contents), erasable: head.length };
}

/**
 * The tail of `to-device-sent` that tells these receivers, and of the contents (JSON texts) only what is theirs. With a salt, for its hash
 * stays and it could be guessed.
 */
export function tailOfSent(to: readonly Receiver[], contents: readonly string[]): string {
  const told = new Map<number, number>();
  const kept = to.map(([userId, deviceId, content]): Receiver => {
    if (!told.has(content)) told.set(content, told.size);
    return [userId, deviceId, told.get(content)!];
  });
  const texts = [...told.keys()].map((content) => contents[content]);
  const salt = randomBytes(SALT_BYTES).toString('base64url');
  return `${TO}${JSON.stringify(kept)}${CONTENTS}${texts.join()}],"salt":"${salt}"}`;
}

/** `to-device-sent` as it is read: the contents as JSON texts. */
export interface SentTexts extends Pick<ToDeviceSent, 'type' | 'to'> {
  readonly contents: readonly string[];
}

/**
 * `to-device-sent`, read. PERF: contents may be a megabyte, of which nobody here reads anything: they are cut out, and not parsed
 * (`npm run bench -- devices`).
 */
export function readSent(fact: Pick<NewFact, 'data' | 'metadata'>): SentTexts {
  const { to, contentsAt } = receiversOf(fact);
  return { type: transactionOf(fact).type, to, contents: objectsFrom(fact.data, contentsAt) };
}

/**
 * Who is to have what, and where the contents begin. Within a JSON text a quote is escaped, and among the receivers there is no object: so
 * the contents begin where they seem to.
 */
function receiversOf({ data, metadata }: Pick<NewFact, 'data' | 'metadata'>): { to: Receiver[]; contentsAt: number } {
  const from = (metadata.erasable ?? 0) + TO.length;
  const end = data.indexOf(CONTENTS, from);
  return { to: JSON.parse(data.slice(from, end)) as Receiver[], contentsAt: end + CONTENTS.length };
}

/** The JSON texts of the objects of a list that begins somewhere in a JSON text without blanks. Throws SyntaxError where it has no end. */
function objectsFrom(json: string, start: number): string[] {
  const objects: string[] = [];
  let [begin, depth] = [start, 0];
  for (let at = start; at < json.length; at++) {
    switch (json[at]) {
      case '"':
        at = endOfString(json, at);
        break;
      case '{':
        if (depth++ === 0) begin = at;
        break;
      case '}':
        if (--depth === 0) objects.push(json.slice(begin, at + 1));
        break;
      case ']':
        if (depth === 0) return objects;
        break;
      default:
    }
  }
  throw new SyntaxError('The contents have no end');
}

/** Where the quote is that ends the string which begins there. Throws SyntaxError where there is none. */
function endOfString(json: string, begin: number): number {
  for (let end = json.indexOf('"', begin + 1); ; end = json.indexOf('"', end + 1)) {
    if (end < 0) throw new SyntaxError('A text in the contents has no end');
    let escapes = 0;
    while (json[end - 1 - escapes] === '\\') escapes++;
    if (escapes % 2 === 0) return end;
  }
}

/** Which transaction `to-device-sent` is. PERF: contents may be a megabyte, and are not parsed. */
export function transactionOf({ data, metadata }: Pick<NewFact, 'data' | 'metadata'>): { type: string; txn: string } {
  return JSON.parse(`${data.slice(0, (metadata.erasable ?? 1) - 1)}}`) as { type: string; txn: string };
}

/** The users who are to have something of `to-device-sent`. PERF: as `transactionOf`. */
export function usersIn(fact: Pick<NewFact, 'data' | 'metadata'>): ReadonlySet<UserId> {
  return new Set(receiversOf(fact).to.map(([userId]) => userId));
}
