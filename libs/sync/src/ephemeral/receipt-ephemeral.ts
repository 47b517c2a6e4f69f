import { Inject, Injectable } from '@nestjs/common';
import { RECEIPTS, RECEIPTS_LOG } from '#ephemeral/projections/receipts.projector';
import { listReceipts, receiptContents } from '#ephemeral/queries/list-receipts';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { ActiveUsers } from '../notifier/active-users.js';
import { lookUpLast } from '../notifier/look-up-last.js';
import type { EphemeralRange, RoomEphemeral } from './room-ephemeral.js';

/** Up to where the members of a room have read it: `m.receipt`. */
@Injectable()
export class ReceiptEphemeral implements RoomEphemeral {
  static readonly covers = [RECEIPTS.name];
  readonly type = 'm.receipt';

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
  ) {}

  hasNews(roomId: RoomId, { position }: StreamMoment): boolean | undefined {
    return this.active.recent.receipts.hasHappenedSince(roomId, position);
  }

  lookUp(roomId: RoomId, { position }: StreamMoment): Promise<boolean> {
    return lookUpLast(this.views, [RECEIPTS_LOG], this.active.recent.receipts, roomId, position);
  }

  /** PERF: whether receipts changed is known in memory, mostly that they did not. */
  async read(roomId: RoomId, { reader, since, until }: EphemeralRange): Promise<readonly string[]> {
    if (since !== undefined && this.hasNews(roomId, since) === false) return [];
    const range = { reader, after: since?.position, upTo: until.position };
    return receiptContents(await listReceipts(this.views, roomId, range));
  }
}
