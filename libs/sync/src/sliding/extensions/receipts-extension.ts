import { Inject, Injectable } from '@nestjs/common';
import { listReceipts, type Receipt } from '#ephemeral/queries/list-receipts';
import type { StreamMoment } from '#http/tokens/stream-token';
import { VIEWS, type Views } from '#projections/views';
import { ReceiptEphemeral } from '../../ephemeral/receipt-ephemeral.js';
import { TOLD } from '../told-state.js';
import {
  type ExtensionContext,
  type ExtensionPart,
  isInScope,
  NOTHING_TO_TELL,
  type ToldOf,
  type SlidingExtension,
} from './extension-context.js';

/** Up to where rooms that are told of have been read. MSC3960. */
@Injectable()
export class ReceiptsExtension implements SlidingExtension {
  readonly key = 'receipts';

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly receipts: ReceiptEphemeral,
  ) {}

  async read({ sync, wanted, rooms }: ExtensionContext): Promise<ExtensionPart> {
    if (wanted.receipts === undefined) return NOTHING_TO_TELL;
    const { reader: readerOf, until } = sync;
    const events: string[] = [];
    for (const room of rooms) {
      const { roomId, known } = room.selected.room;
      if (known.membership !== 'join' || !isInScope(wanted.receipts, room.selected)) continue;
      const after = receiptsAfter(room);
      // PERF: mostly it is known in memory that there is nothing.
      const hasNews =
        after === undefined || (this.receipts.hasNews(roomId, after) ?? (await this.receipts.lookUp(roomId, after)));
      if (!hasNews) continue;
      const range = { reader: await readerOf(), after: after?.position, upTo: until.position };
      const found = await listReceipts(this.views, roomId, range);
      if (found.length > 0)
        events.push(`${JSON.stringify(roomId)}:{"type":"m.receipt","content":${receiptContent(found)}}`);
    }
    return events.length === 0 ? NOTHING_TO_TELL : { json: `{"rooms":{${events.join()}}}`, isNews: true };
  }
}

function receiptsAfter({ told, after }: ToldOf): StreamMoment | undefined {
  return told !== undefined && (told.marks & TOLD.receipts) !== 0 ? after : undefined;
}

/**
 * The content of one `m.receipt` event, for the extension has one for each room. Of receipts of somebody for several threads at the same
 * event it can say one: that of the whole room, else that of the main timeline. JSON text.
 */
function receiptContent(receipts: readonly Receipt[]): string {
  const rank = ({ thread }: Receipt): number => (thread === '' ? 2 : thread === 'main' ? 1 : 0);
  const content: Record<string, Record<string, Record<string, object>>> = {};
  for (const receipt of [...receipts].sort((a, b) => rank(a) - rank(b))) {
    const { event_id: eventId, type, userId, ts, thread } = receipt;
    const users = ((content[eventId] ??= {})[type] ??= {});
    users[userId] = thread === '' ? { ts } : { ts, thread_id: thread };
  }
  return JSON.stringify(content);
}
