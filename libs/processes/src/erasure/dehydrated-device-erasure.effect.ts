import { Inject, Injectable } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { DeviceDehydrated } from '#accounts/facts/session-facts';
import { tailLeftOf } from '#accounts/facts/erasable-parts';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';

const DEHYDRATED: AccountFact['type'] = 'device-dehydrated';

/** Erases from the log what a client would have made a dehydrated device of, once another one is in its place. */
@Injectable()
export class DehydratedDeviceErasure implements Effect {
  readonly name = 'dehydrated-device-erasure';
  readonly fromStart = true;

  constructor(@Inject(EVENT_STORE) private readonly store: EventStore) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEHYDRATED ? stream : undefined;
  }

  async run({ stream, data }: RecordedFact): Promise<boolean> {
    const { overtakes } = JSON.parse(data) as DeviceDehydrated; // written by `decideDehydration`
    const tail = tailLeftOf(DEHYDRATED);
    if (overtakes === undefined || tail === undefined) return false;
    await this.store.erase(stream, overtakes, tail);
    return true;
  }
}
