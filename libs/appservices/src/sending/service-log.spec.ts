import { describe, expect, it, vi } from 'vitest';
import { readRegistration } from '#config/appservices/read-registration';
import { type Receiver, textOfSent } from '#devices/facts/to-device-facts';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import type { Views } from '#projections/views';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { registrationText } from '#testing/registration-file';
import type { Passing } from '../interest/passing.js';
import { ServiceInterest } from '../interest/service-interest.js';
import { ServiceLog } from './service-log.js';

async function logOf(facts: number): Promise<MemoryEventStore> {
  const store = new MemoryEventStore();
  const metadata = { at: 0, actor: 'server', schema: 1, chain: '' };
  const all = Array.from({ length: facts }, (_, i) => ({ id: `${i}`, type: 'said', data: '{}', metadata }));
  await store.append('any', 'no-stream', all);
  return store;
}
const nothing = { look: async () => false } as unknown as ServiceInterest;

describe('the log as an application service is shown it', () => {
  it('lets everything else have its turn while nothing of it is for the service', async () => {
    const store = await logOf(3_200);
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 5)); // as if the facts took that long
    let turns = 0;
    const count = (): void => void (counting = setImmediate(() => (turns++, count())));
    let counting: NodeJS.Immediate | undefined;
    try {
      count();
      const next = await new ServiceLog(store, nothing, START).next(await store.head());
      expect(next).toMatchObject({ facts: [], looked: 3_200 });
      expect(turns).toBeGreaterThan(100);
    } finally {
      clearImmediate(counting);
      clock.mockRestore();
    }
  });

  it('tells now and then how far it was looked at, however much there is', async () => {
    const store = await logOf(25_000);
    const log = new ServiceLog(store, nothing, START);
    const head = await store.head();
    const looked: (number | undefined)[] = [];
    for (let i = 0; i < 4; i++) looked.push((await log.next(head))?.looked);
    expect(looked).toEqual([10_000, 10_000, 5_000, undefined]);
  });

  it('tells who is in a large room in several transactions, and of the fact with the last of them', async () => {
    const store = await logOf(1);
    const users = Array.from({ length: 30_000 }, (_, n) => `@user${n}:example.org` as UserId);
    const look = async (_: RecordedFact, passing: Passing): Promise<boolean> => {
      passing.addLists({ changed: users, left: [] });
      return true;
    };
    const log = new ServiceLog(
      store,
      { look, sizeOf: () => ({ events: 1, text: 2 }) } as unknown as ServiceInterest,
      START,
    );
    const told: UserId[] = [];
    const facts: number[] = [];
    for (;;) {
      const next = await log.next(await store.head());
      if (next === undefined) break;
      const lists = next.passing.told?.['device_lists'] ?? '{}';
      expect(lists.length).toBeLessThan(250_000);
      told.push(...((JSON.parse(lists) as { changed?: UserId[] }).changed ?? []));
      facts.push(next.facts.length);
      expect(next.last === undefined).toBe(next.facts.length === 0);
    }
    expect(told).toEqual(users);
    expect(facts).toEqual([0, 0, 0, 1]);
  });

  it.each([
    { receivers: 60, bytes: 10, together: [2, 2] },
    { receivers: 20, bytes: 60_000, together: [1, 1, 1, 1] },
    { receivers: 20, bytes: 10, together: [4] },
  ])(
    'counts messages as devices are told of them: $receivers of $bytes each',
    async ({ receivers, bytes, together }) => {
      const store = new MemoryEventStore();
      const ghost = '@_bridge_ghost:a.example' as UserId;
      const to = Array.from({ length: receivers }, (_, n): Receiver => [ghost, `D${n}` as DeviceId, 0]);
      const { data, erasable } = textOfSent({ type: 'm.test', txn: 't' }, to, [
        JSON.stringify({ text: 'x'.repeat(bytes) }),
      ]);
      const metadata = { at: 0, actor: 'server', schema: 1, chain: '', erasable };
      const facts = Array.from({ length: 4 }, (_, i) => ({ id: `${i}`, type: 'to-device-sent', data, metadata }));
      await store.append('sent', 'no-stream', facts);
      const service = readRegistration(registrationText({ receive_ephemeral: true }), 'a.example' as ServerName);
      const log = new ServiceLog(store, new ServiceInterest(service, createRoomFactReader(), {} as Views), START);
      const taken: number[] = [];
      for (;;) {
        const next = await log.next(await store.head());
        if (next === undefined) break;
        taken.push(next.facts.length);
      }
      expect(taken).toEqual(together);
    },
  );
});
