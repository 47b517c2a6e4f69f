import { Injectable } from '@nestjs/common';
import { Accounts, BY_SERVER } from '#accounts/accounts';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { DevicesRemoved } from '#accounts/facts/session-facts';
import type { RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';
import type { UserId } from '#kernel/ids';
import { MailPushers } from '#push/digests/mail-pusher';
import { PUSHERS_STREAM_PREFIX, type PusherFact, type PusherSet, userIdOfPushers } from '#push/facts/pusher-facts';
import { decideAddressEnd, decideDeviceEnd } from '#push/pushers/decide-pushers';
import type { KnownPushers } from '#push/pushers/known-pushers';
import { Pushers } from '#push/pushers';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';
const REMOVED: AccountFact['type'] = 'devices-removed';
const UNLINKED: AccountFact['type'] = 'threepid-removed';
const SET: PusherFact['type'] = 'pusher-set';

/**
 * Lets pushers go with the device whose they are, those that mail with the address, and all of them with the account. A request that was under way meanwhile may set one
 * behind that: so it is looked after each whether its device, or its address, is there.
 */
@Injectable()
export class EndedPushers implements Effect {
  readonly name = 'ended-pushers';

  constructor(
    private readonly pushers: Pushers,
    private readonly accounts: Accounts,
    private readonly mails: MailPushers,
  ) {}

  keyOf(fact: RecordedFact): string | undefined {
    const { type, stream, metadata } = fact;
    if (type === SET) {
      // What the server notes of one that is there makes none.
      const isSet = stream.startsWith(PUSHERS_STREAM_PREFIX) && metadata.actor !== BY_SERVER.actor;
      return isSet && !isSaidAgain(fact) ? stream : undefined;
    }
    return type === DEACTIVATED || type === REMOVED || type === UNLINKED ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const { type, stream, data, metadata } = fact;
    if (type === SET) return this.#lookAfter(fact);
    const userId = userIdOfStream(stream);
    const cause = { actor: metadata.actor, device: metadata.device };
    if (type === UNLINKED) return this.#endAddresses(userId);
    if (type === DEACTIVATED) return this.pushers.end(userId, cause);
    const { device_ids: ids } = JSON.parse(data) as DevicesRemoved; // written by accounts
    // Before it is looked which devices are there: one may be made again under its id meanwhile, and what that sets is looked after itself.
    const seen = await this.pushers.all(userId);
    const { devices } = await this.accounts.load(userId);
    // Clocks are put right: the time counts only of one that was made again under its id.
    const [gone, again] = [ids.filter((id) => !devices.has(id)), ids.filter((id) => devices.has(id))];
    return this.pushers.change(userId, cause, (known) => [
      ...decideDeviceEnd(unchanged(known, seen), new Set(gone), Infinity),
      ...decideDeviceEnd(known, new Set(again), metadata.at),
    ]);
  }

  /** By the log: the device was made before it could set anything. What application services set on no device stays. */
  async #lookAfter({ stream, data, metadata }: RecordedFact): Promise<boolean> {
    const userId = userIdOfPushers(stream);
    const { device_id, set_at, kind } = JSON.parse(data) as PusherSet; // written by the domain of push
    if (kind === 'email' && (await this.#endAddresses(userId))) return true;
    if (device_id === '') return false;
    const { devices } = await this.accounts.load(userId);
    if (devices.has(device_id)) return false;
    const cause = { actor: metadata.actor, device: metadata.device };
    return this.pushers.change(userId, cause, (known) => decideDeviceEnd(known, new Set([device_id]), set_at));
  }

  /** By the log: which address was removed is forgotten there. */
  async #endAddresses(userId: UserId): Promise<boolean> {
    const own = new Set((await this.mails.listAddresses(userId)).keys());
    return this.pushers.change(userId, BY_SERVER, (known) => decideAddressEnd(known, own));
  }
}

const unchanged = (known: KnownPushers, seen: KnownPushers): KnownPushers =>
  new Map([...known].filter(([key, { set_at }]) => seen.get(key)?.set_at === set_at));
