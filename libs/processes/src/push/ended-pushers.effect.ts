import { Injectable } from '@nestjs/common';
import type { AccountFact, DevicesRemoved } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';
import { decideDeviceEnd } from '#push/pushers/decide-pushers';
import { Pushers } from '#push/pushers';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';
const REMOVED: AccountFact['type'] = 'devices-removed';

/** Lets pushers go with the device that made them, and all of them with the account. */
@Injectable()
export class EndedPushers implements Effect {
  readonly name = 'ended-pushers';

  constructor(private readonly pushers: Pushers) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEACTIVATED || type === REMOVED ? stream : undefined;
  }

  run({ type, stream, data, metadata }: RecordedFact): Promise<boolean> {
    const userId = userIdOfStream(stream);
    const cause = { actor: metadata.actor, device: metadata.device };
    if (type === DEACTIVATED) return this.pushers.end(userId, cause);
    const { device_ids } = JSON.parse(data) as DevicesRemoved; // written by accounts
    const devices = new Set(device_ids);
    return this.pushers.change(userId, cause, (known) => decideDeviceEnd(known, devices, metadata.at));
  }
}
