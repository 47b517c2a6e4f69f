import { Inject, Injectable } from '@nestjs/common';
import { Inboxes } from '#devices/inboxes';
import { readInbox } from '#devices/queries/read-inbox';
import { laterOf, type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import {
  type ExtensionContext,
  type ExtensionPart,
  NOTHING_TO_TELL,
  type SlidingExtension,
} from './extension-context.js';
import { TO_DEVICE_TOKEN } from './place-token.js';

/**
 * Messages to the device. What the client has is told by the token of this extension alone, whichever connection it comes with, and
 * what was told before that is deleted. MSC3885.
 */
@Injectable()
export class ToDeviceExtension implements SlidingExtension {
  readonly key = 'to_device';

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly inboxes: Inboxes,
  ) {}

  async read({ sync, wanted, user }: ExtensionContext): Promise<ExtensionPart> {
    if (wanted.toDevice === undefined) return NOTHING_TO_TELL;
    const { since, limit } = wanted.toDevice;
    const { requester, until, heard = START } = sync;
    const device = [requester.userId, requester.deviceId] as const;
    if (heard !== START) this.inboxes.noteArrival(device, heard);
    const arrived = this.inboxes.arrivedUpTo(device);
    const after = laterOf(arrived, heard);
    if (since !== undefined && !user.mayHaveMessagesSince(after)) return this.#part([], laterOf(until.position, heard));
    const page = await readInbox(this.views, device, { after, upTo: until.position }, limit);
    if (page.first !== undefined) this.inboxes.noteTold(device, page.first);
    const end = page.isCut && page.last !== undefined ? page.last : laterOf(until.position, heard);
    return this.#part(page.events, end);
  }

  #part(events: readonly string[], end: Position): ExtensionPart {
    const token = TO_DEVICE_TOKEN.format(this.views.history, end);
    return { json: `{"next_batch":"${token}","events":[${events.join()}]}`, isNews: events.length > 0 };
  }
}
