import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import type { DeviceKey } from '../facts/device-streams.js';
import { INBOX } from '../projections/inbox.projector.js';

/** Some of what waits for a device, in the order of the log: so what one device sent is in its order. */
export interface InboxPage {
  /** Events as JSON texts. */
  readonly events: readonly string[];
  /** Where the first and the last of them stand; undefined where there are none. */
  readonly first: Position | undefined;
  readonly last: Position | undefined;
  /** There are more behind the last. */
  readonly isCut: boolean;
}

/** So many at a time (client-server API, "Send-to-Device messaging", "Server behaviour"). */
export const MOST_MESSAGES = 100;

/** What waits for a device after a position (exclusive) and up to another (inclusive): the first of it, a hundred at most. */
export async function readInbox(
  views: Pick<Views, 'scan'>,
  device: DeviceKey,
  { after, upTo }: { readonly after: Position; readonly upTo: Position },
  limit: number = MOST_MESSAGES,
): Promise<InboxPage> {
  const range = {
    prefix: device,
    after: [...device, after],
    to: [...device, upTo],
  } as const;
  const rows = after < upTo ? await INBOX.scan(views, { ...range, limit: limit + 1 }) : [];
  const told = rows.slice(0, limit);
  return {
    events: told.map(({ value }) => value.event),
    first: told[0]?.key[2],
    last: told.at(-1)?.key[2],
    isCut: rows.length > told.length,
  };
}
