import type { DeviceId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Receiver } from '../facts/to-device-facts.js';

/** The contents of messages by user and device, as JSON texts, as a client addresses them: `*` for all devices of a user. */
export type Messages = ReadonlyMap<UserId, ReadonlyMap<DeviceId | '*', string>>;

/** What goes out: the devices that are there, and the contents they are to have, as JSON texts. */
export interface Addressed {
  readonly to: readonly Receiver[];
  readonly contents: readonly string[];
}

const MOST_NAME_BYTES = 255;
/** As of any event (client-server API, "Size limits"). */
const MOST_EVENT_BYTES = 65_536;
/** What one fact may take: a log takes a megabyte at once. */
const MOST_FACT_BYTES = 960_000;
/** What one request may lay into inboxes, all receivers together. */
const MOST_TOLD_BYTES = 16 * 1024 * 1024;

/** Throws M_INVALID_PARAM where a type or an id of a transaction is no name, M_TOO_LARGE where a single message is too large. */
export function checkMessages(sender: UserId, type: string, txnId: string, messages: Messages): void {
  checkName('type', type);
  checkName('transaction ID', txnId);
  const besides = Buffer.byteLength(JSON.stringify({ sender, type, content: {} })) - '{}'.length;
  for (const byDevice of messages.values()) {
    for (const content of byDevice.values()) {
      if (besides + Buffer.byteLength(content) > MOST_EVENT_BYTES) {
        throw new MatrixError('M_TOO_LARGE', `A message may have ${MOST_EVENT_BYTES} bytes at most`);
      }
    }
  }
}

/** Throws M_TOO_LARGE where all that is addressed together is more than one request may send. */
export function checkAddressed({ to, contents }: Addressed): void {
  const sizes = contents.map((content) => Buffer.byteLength(content));
  const inFact = Buffer.byteLength(JSON.stringify(to)) + sizes.reduce((sum, size) => sum + size, 0);
  const told = to.reduce((sum, [, , content]) => sum + sizes[content]!, 0);
  if (inFact > MOST_FACT_BYTES || told > MOST_TOLD_BYTES) {
    throw new MatrixError('M_TOO_LARGE', 'These are too many messages for one request: send them in several');
  }
}

function checkName(what: string, name: string): void {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > MOST_NAME_BYTES) {
    throw new MatrixError('M_INVALID_PARAM', `The ${what} must have 1 to ${MOST_NAME_BYTES} bytes`);
  }
}
