import type { RecordedFact } from '#event-store/event-store';
import type { LogBegun } from '#event-store/log-identity';
import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import { type Position } from '#kernel/position';
import { shortHash } from '#kernel/short-hash';
import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { DeviceKey } from '../facts/device-streams.js';
import {
  deviceOfInboxStream,
  mailboxOfServer,
  readSent,
  senderOfStream,
  serverReaching,
  takesNamedAlone,
  type ToDeviceCollected,
  TO_DEVICE_SHAPES,
} from '../facts/to-device-facts.js';

/** A message that a device has not collected yet. */
export interface InboxRow {
  /** The stream of its sender, and the revision of the fact. */
  readonly stream: string;
  readonly revision: number;
  /** The event as clients get it: JSON text; empty where it waits for another server. */
  readonly event: string;
}

/** What is known of an uncollected message besides its text. */
export interface OutstandingRow {
  readonly position: Position;
  /** When it was sent, in milliseconds since the epoch. */
  readonly at: number;
  /** What its event takes. */
  readonly bytes: number;
}

export const INBOX = new Collection<readonly [userId: UserId, deviceId: DeviceId, position: Position], InboxRow>(
  'inbox',
  {
    key: ['user', 'device', 'position'],
    says: 'a message to the device: the stream and revision of its fact; the event',
    codec: {
      encode: ({ stream, revision, event }) => `${JSON.stringify([stream, revision])}\n${event}`,
      decode: (text) => {
        const end = text.indexOf('\n');
        const [stream, revision] = JSON.parse(text.slice(0, end)) as [string, number];
        return { stream, revision, event: text.slice(end + 1) };
      },
    },
  },
);

/** Who has not collected a fact yet. */
export const OUTSTANDING = new Collection<
  readonly [stream: string, revision: string, userId: UserId, deviceId: DeviceId],
  OutstandingRow
>('outstanding', {
  key: ['hash of the sender’s stream', 'revision', 'user', 'device'],
  says: 'a message that the device has not collected: its position, when it was sent, its bytes',
  codec: asJson(),
});

/** Of which log the positions are that facts name. */
export const INBOX_LOG = new Collection<readonly [name: 'log'], string>('inbox-log', {
  key: ['`log`'],
  says: 'the id of the log',
  codec: asText(),
});

/** A fact of a sender's stream as rows name it. */
export function outstandingKey(stream: string, revision: number): readonly [stream: string, revision: string] {
  return [shortHash(stream), String(revision).padStart(REVISION_DIGITS, '0')];
}

const REVISION_DIGITS = 12;
const PAGE = 500;

/** What waits in the inboxes of devices. */
export const inboxProjector: Projector = {
  name: 'inbox',
  version: 1,
  ...owning(INBOX, OUTSTANDING, INBOX_LOG),
  handles: (type) => type === 'log-begun' || Object.hasOwn(TO_DEVICE_SHAPES, type),
  // What was taken by its name alone no later fact says. Of the stream of an inbox whichever stays that takes something.
  isForgotten: (type) => Object.hasOwn(TO_DEVICE_SHAPES, type) && type !== 'to-device-sent',
  project,
};

function project(fact: RecordedFact, rows: OwnRows): void | Promise<void> {
  switch (fact.type) {
    case 'log-begun':
      return INBOX_LOG.put(rows, ['log'], (JSON.parse(fact.data) as LogBegun).log_id);
    case 'to-device-sent':
      return layOut(fact, rows);
    default:
      return takeAway(rows, deviceOfInboxStream(fact.stream), fact);
  }
}

function layOut(fact: RecordedFact, rows: OwnRows): void {
  const { stream, revision, position, metadata } = fact;
  const sender = senderOfStream(stream);
  const { type, to, contents } = readSent(fact);
  const head = `${JSON.stringify({ sender, type }).slice(0, -1)},"content":`;
  const events = contents.map((content) => `${head}${content}}`);
  const sizes = events.map((event) => Buffer.byteLength(event));
  const key = outstandingKey(stream, revision);
  const lay = ([userId, deviceId]: DeviceKey, event: string, bytes: number): void => {
    INBOX.put(rows, [userId, deviceId, position], { stream, revision, event });
    OUTSTANDING.put(rows, [...key, userId, deviceId], { position, at: metadata.at, bytes });
  };
  const forServers = new Map<ServerName, number>();
  for (const receiver of to) {
    const [, , content] = receiver;
    const server = serverReaching(stream, receiver);
    if (server === undefined) lay([receiver[0], receiver[1]], events[content]!, sizes[content]!);
    else forServers.set(server, (forServers.get(server) ?? 0) + sizes[content]!);
  }
  // What several devices of one server are to have waits for it together, and is read from the fact.
  for (const [server, bytes] of forServers) lay(mailboxOfServer(server), '', bytes);
}

async function takeAway(rows: OwnRows, device: DeviceKey, { type, data }: RecordedFact): Promise<void> {
  const taken = JSON.parse(data) as ToDeviceCollected; // all facts there are of this shape
  const { up_to: upTo, log_id: logId, from } = taken;
  if (logId === ((await INBOX_LOG.get(rows, ['log'])) ?? null)) {
    for await (const page of INBOX.pages(rows, { prefix: device, to: [...device, upTo] }, PAGE)) {
      for (const { key, value } of page) takeOne(rows, key, value.stream, value.revision);
    }
    if (!takesNamedAlone(type, taken)) return;
  }
  for (const [stream, revisions] of Object.entries(from)) {
    for (const revision of revisions) {
      const row = await OUTSTANDING.get(rows, [...outstandingKey(stream, revision), ...device]);
      if (row !== undefined) takeOne(rows, [...device, row.position], stream, revision);
    }
  }
}

function takeOne(rows: OwnRows, key: readonly [UserId, DeviceId, Position], stream: string, revision: number): void {
  INBOX.delete(rows, key);
  OUTSTANDING.delete(rows, [...outstandingKey(stream, revision), key[0], key[1]]);
}
