import { Inject, Injectable } from '@nestjs/common';
import { Inboxes } from '#devices/inboxes';
import { INBOX } from '#devices/projections/inbox.projector';
import { readInbox } from '#devices/queries/read-inbox';
import { laterOf, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import type { SyncContext, SyncPart, SyncStream } from './sync-context.js';

const NOTHING: SyncPart = Object.freeze({ json: '{"events":[]}', isNews: false });

/**
 * Messages to the device: `to_device`, a hundred at a time. What the client has is told by its token alone, which so deletes what was
 * told before it (client-server API, "Send-to-Device messaging", "Server behaviour").
 */
@Injectable()
export class ToDeviceStream implements SyncStream {
  static readonly covers = [INBOX.name];
  readonly key = 'to_device';

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly inboxes: Inboxes,
  ) {}

  async read({ requester, heard = START, until, mayHaveMessages }: SyncContext): Promise<SyncPart> {
    const device = [requester.userId, requester.deviceId] as const;
    if (heard !== START) this.inboxes.noteArrival(device, heard);
    if (!mayHaveMessages) return NOTHING;
    const arrived = this.inboxes.arrivedUpTo(device);
    const after = laterOf(arrived, heard);
    const { events, first, last, isCut } = await readInbox(this.views, device, { after, upTo: until.position });
    if (first === undefined) return NOTHING;
    this.inboxes.noteTold(device, first);
    const json = `{"events":[${events.join()}]}`;
    return { json, isNews: true, ...(isCut ? { inbox: last } : {}) };
  }
}
