import { expect, it, vi } from 'vitest';
import { readRegistration } from '#config/appservices/read-registration';
import { textOfSent } from '#devices/facts/to-device-facts';
import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { MemoryEventStore } from '#testing/memory-event-store';
import { positionOf } from '#testing/position-of';
import { registrationText } from '#testing/registration-file';
import { TransactionTexts } from './transaction-texts.js';

it('everything else has its turn while a transaction is written', async () => {
  const to = ['@_bridge_ghost:a.example' as UserId, 'HERE' as DeviceId, 0] as const;
  const { data, erasable } = textOfSent({ type: 'm.test', txn: 't' }, [to], ['{}']);
  const metadata = { at: 0, actor: '@alice:a.example', schema: 1, chain: '', erasable };
  const facts = Array.from({ length: 100 }, (_, revision) => {
    const place = { stream: 'sent-["@alice:a.example","PHONE"]', revision, position: positionOf(revision + 1) };
    return { id: `${revision}`, type: 'to-device-sent', data, metadata, ...place };
  });
  const service = readRegistration(registrationText(), 'a.example' as ServerName);
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 5)); // as if each took that long
  let turns = 0;
  const count = (): void => void (counting = setImmediate(() => (turns++, count())));
  let counting: NodeJS.Immediate | undefined;
  try {
    count();
    const texts = new TransactionTexts(new MemoryEventStore(), {} as Views);
    const body = await texts.write(service, facts, { made_at: 0 }, createRoomFactReader());
    expect((JSON.parse(body) as { to_device: unknown[] }).to_device).toHaveLength(100);
    expect(turns).toBeGreaterThan(50);
  } finally {
    clearImmediate(counting);
    clock.mockRestore();
  }
});
