import { Inject, Injectable } from '@nestjs/common';
import { ReceiveDeviceLists } from '#devices/commands/receive-device-lists';
import { REMOTE_DEVICES } from '#devices/projections/remote-devices.projector';
import type { RecordedFact } from '#event-store/event-store';
import { LOG_RESTORED, restorationOf } from '#event-store/log-identity';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';

/** So many lists are noted at a time. */
const PAGE = 100;

/**
 * After a restoration of the log no list of devices of another server is believed: what that server told since the backup is lost, it
 * was told that we have it, and the next it tells may stand behind what we know. So each is asked for anew (`MissedDevices`).
 */
@Injectable()
export class RestoredLists implements Effect {
  readonly name = 'restored-lists';

  constructor(
    @Inject(VIEWS) private readonly views: Pick<Views, 'scan'>,
    private readonly lists: ReceiveDeviceLists,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === LOG_RESTORED ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    if (restorationOf(fact) === undefined) return false;
    for await (const page of REMOTE_DEVICES.pages(this.views, {}, PAGE)) {
      await Promise.all(page.map(({ key }) => this.lists.miss(key[0])));
    }
    return true;
  }
}
