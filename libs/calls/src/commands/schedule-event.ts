import { Injectable } from '@nestjs/common';
import { type Errcode, MatrixError } from '#kernel/matrix-error';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import type { DelayedSend, DelayedSends } from '#rooms/delayed-sends';
import { checkStateKey } from '#rooms/commands/check-state';
import { MAX_DELAY_MS } from '../decide/decide-delays.js';
import { DelayedEvents } from '../delayed-events.js';

/** As of an event ("Size limits"), which is somewhat larger than its content. */
const MAX_CONTENT_BYTES = 65_536;

const TOO_LONG = 'The event is to wait for too long';
/** matrix-js-sdk tries again with what is allowed, where the code is M_UNKNOWN and this other one stands beside it. */
const TOO_LONG_FIELDS = {
  max_delay: MAX_DELAY_MS,
  'org.matrix.msc4140.max_delay': MAX_DELAY_MS,
  'org.matrix.msc4140.errcode': 'M_MAX_DELAY_EXCEEDED',
};

/**
 * Schedules an event: MSC4140, "Scheduling a delayed event". Whether its sender may send it is asked when it is sent. The same transaction of
 * the same device, room and type answers the id of the first time, as long as it is told what became of that.
 */
@Injectable()
export class ScheduleEvent implements DelayedSends {
  constructor(private readonly delayed: DelayedEvents) {}

  /** See DelayedSends. `tooLong`: the code where it is to wait for too long. */
  schedule(requester: Requester, event: DelayedSend, tooLong: Errcode = 'M_UNKNOWN'): Promise<string> {
    const { roomId, type, stateKey, content, delay, txnId, sentAt, stickyMs } = event;
    // What they may do at once they may not do later: it is asked again then, and of what is left of it nobody has any use.
    refuseSuspended(requester);
    if (delay > MAX_DELAY_MS) throw new MatrixError(tooLong, TOO_LONG, { status: 400, fields: TOO_LONG_FIELDS });
    checkStateKey(type, stateKey);
    const text = canonicalJson(content, { lenient: true });
    if (Buffer.byteLength(text) > MAX_CONTENT_BYTES) throw new MatrixError('M_TOO_LARGE');
    const txn = txnId === undefined ? undefined : { device_id: requester.deviceId, txn_id: txnId };
    return this.delayed.schedule(requester, {
      room_id: roomId,
      type,
      state_key: stateKey,
      delay,
      txn,
      sent_at: sentAt,
      sticky_ms: stickyMs,
      guest: requester.isGuest === true ? true : undefined,
      content: text,
    });
  }
}
