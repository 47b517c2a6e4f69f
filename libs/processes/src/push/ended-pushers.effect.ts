import { Injectable } from '@nestjs/common';
import { Accounts } from '#accounts/accounts';
import type { AccountFact, DevicesRemoved } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';
import { PUSHERS_STREAM_PREFIX, type PusherFact, type PusherSet, userIdOfPushers } from '#push/facts/pusher-facts';
import { decideDeviceEnd } from '#push/pushers/decide-pushers';
import { Pushers } from '#push/pushers';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';
const REMOVED: AccountFact['type'] = 'devices-removed';
const SET: PusherFact['type'] = 'pusher-set';

/**
 * Lets pushers go with the device whose they are, and all of them with the account. A request that was under way meanwhile may set one
 * behind that: so it is looked after each whether its device is there.
 */
@Injectable()
export class EndedPushers implements Effect {
  readonly name = 'ended-pushers';

  constructor(
    private readonly pushers: Pushers,
    private readonly accounts: Accounts,
  ) {}

  keyOf(fact: RecordedFact): string | undefined {
    const { type, stream } = fact;
    if (type === SET) return stream.startsWith(PUSHERS_STREAM_PREFIX) && !isSaidAgain(fact) ? stream : undefined;
    return type === DEACTIVATED || type === REMOVED ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const { type, stream, data, metadata } = fact;
    if (type === SET) return this.#lookAfter(fact);
    const userId = userIdOfStream(stream);
    const cause = { actor: metadata.actor, device: metadata.device };
    if (type === DEACTIVATED) return this.pushers.end(userId, cause);
    const { device_ids } = JSON.parse(data) as DevicesRemoved; // written by accounts
    const devices = new Set(device_ids);
    return this.pushers.change(userId, cause, (known) => decideDeviceEnd(known, devices, metadata.at));
  }

  /** By the log: the device was made before it could set anything. What application services set on no device stays. */
  async #lookAfter({ stream, data, metadata }: RecordedFact): Promise<boolean> {
    const userId = userIdOfPushers(stream);
    const { device_id, set_at } = JSON.parse(data) as PusherSet; // written by the domain of push
    if (device_id === '') return false;
    const { devices } = await this.accounts.load(userId);
    if (devices.has(device_id)) return false;
    const cause = { actor: metadata.actor, device: metadata.device };
    return this.pushers.change(userId, cause, (known) => decideDeviceEnd(known, new Set([device_id]), set_at));
  }
}
