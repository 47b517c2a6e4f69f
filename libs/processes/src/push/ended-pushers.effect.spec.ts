import { expect, it } from 'vitest';
import { type Accounts, BY_SERVER } from '#accounts/accounts';
import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, UserId } from '#kernel/ids';
import type { PusherSet } from '#push/facts/pusher-facts';
import { Pushers } from '#push/pushers';
import { MemoryEventStore } from '#testing/memory-event-store';
import { EndedPushers } from './ended-pushers.effect.js';

const ALICE = '@alice:a.example' as UserId;

it.each([false, true])(
  'a pusher goes with its device, and stays where that is made anew meanwhile: %j',
  async (isMadeAnew) => {
    const pushers = new Pushers(new MemoryEventStore(), { now: () => 1 }, { whenProcessed: async () => {} });
    const set = (pushkey: string, setAt: number) => {
      const data = { app_id: 'app', pushkey, kind: 'http', device_id: 'D' as DeviceId, set_at: setAt };
      return pushers.change(ALICE, BY_SERVER, () => [{ type: 'pusher-set', data: data as unknown as PusherSet }]);
    };
    // Of a clock that was ahead.
    await set('of before', 20);
    const load = async (): Promise<object> => {
      if (isMadeAnew) await set('of the new one', 11);
      return { devices: new Map() };
    };
    const removed = {
      stream: `user-${ALICE}`,
      type: 'devices-removed',
      data: JSON.stringify({ device_ids: ['D'], reason: 'logout' }),
      metadata: { at: 10 },
    } as unknown as RecordedFact;
    expect(await new EndedPushers(pushers, { load } as unknown as Accounts, {} as never).run(removed)).toBe(true);
    const left = [...(await pushers.all(ALICE)).values()].map(({ pushkey }) => pushkey);
    expect(left).toEqual(isMadeAnew ? ['of the new one'] : []);
  },
);
