import { Injectable } from '@nestjs/common';
import type { ProfileChanged, ReadersSet } from '#accounts/facts/account-facts';
import type { DeviceAdded, DevicesRemoved } from '#accounts/facts/session-facts';
import { ACCOUNTS } from '#accounts/projections/accounts.projector';
import type { RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import type { DeviceId, UserId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';
import type { Listener } from '#projections/listener';
import { Presence } from './presence.js';

/** What of a profile is told with presence in 2014/15 ("Events on Change of Profile Information"). */
const TOLD_OF_PROFILES: ReadonlySet<string> = new Set(['displayname', 'avatar_url']);

/** Tells presence what people do here that is in the log, and whose devices and accounts are no more. */
@Injectable()
export class NoteActivity implements Listener {
  readonly name = 'note-activity';
  readonly reads = [ACCOUNTS.name];

  constructor(private readonly presence: Presence) {}

  hear(facts: readonly RecordedFact[]): void {
    if (!this.presence.isOn) return;
    for (const fact of facts) this.#take(fact);
  }

  /** PERF: of an event only what surrounds its fact is looked at. */
  #take(fact: RecordedFact): void {
    const { type, stream, metadata } = fact;
    const { actor, device } = metadata;
    switch (type) {
      case 'pdu-accepted':
      case 'receipt-set':
        if (device !== undefined && !isSaidAgain(fact)) this.presence.act(actor as UserId, device as DeviceId);
        return;
      case 'device-added':
        return this.presence.act(userIdOfStream(stream), dataOf<DeviceAdded>(fact).device_id);
      case 'devices-removed':
        return this.presence.removeDevices(userIdOfStream(stream), dataOf<DevicesRemoved>(fact).device_ids);
      case 'profile-changed':
      case 'readers-set':
        if (TOLD_OF_PROFILES.has(dataOf<ProfileChanged | ReadersSet>(fact).key))
          this.presence.noteProfile(userIdOfStream(stream));
        return;
      case 'account-deactivated':
        return this.presence.forget(userIdOfStream(stream));
      default:
    }
  }
}

function dataOf<T>({ data }: RecordedFact): T {
  return JSON.parse(data) as T; // what accounts appended under its types has their shapes
}
