import { describe, expect, it } from 'vitest';
import { readRegistration } from '#config/appservices/read-registration';
import { type Receiver, textOfSent } from '#devices/facts/to-device-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import { positionOf } from '#testing/position-of';
import { registrationText } from '#testing/registration-file';
import { collectedBy } from './collected-messages.js';

const GHOST = '@_bridge_ghost:a.example' as UserId;
const ALICE = '@alice:a.example' as UserId;
const to = (userId: UserId, deviceId: string): Receiver => [userId, deviceId as DeviceId, 0];

function sent(at: number, ...receivers: readonly Receiver[]): RecordedFact {
  const { data, erasable } = textOfSent({ type: 'm.test', txn: `${at}` }, receivers, ['{}']);
  const metadata = { at, actor: ALICE, schema: 1, chain: '', erasable };
  return {
    id: `${at}`,
    type: 'to-device-sent',
    data,
    metadata,
    stream: 'sent',
    revision: at,
    position: positionOf(at),
  };
}
const serviceOf = (keys: object) => readRegistration(registrationText({ ...keys }), 'a.example' as ServerName);
const FACTS = [sent(1, to(GHOST, 'ONE'), to(ALICE, 'PHONE')), sent(2, to(GHOST, 'TWO')), sent(3, to(GHOST, 'ONE'))];

describe('what devices have once their service has it', () => {
  it('is what each was sent, of users that no other service may be', () => {
    const message = (n: number): object => ({ stream: 'sent', revision: n, position: positionOf(n) });
    expect(collectedBy(serviceOf({ 'org.matrix.msc3202': true }), FACTS)).toEqual([
      { device: [GHOST, 'ONE'], messages: [message(1), message(3)] },
      { device: [GHOST, 'TWO'], messages: [message(2)] },
    ]);
  });

  it('is nothing where they may sync: where others may be them, and where the service does not encrypt by what it is sent', () => {
    const namespaces = { users: [{ exclusive: false, regex: '@_bridge_.*' }] };
    expect(collectedBy(serviceOf({ 'org.matrix.msc3202': true, namespaces }), FACTS)).toEqual([]);
    expect(collectedBy(serviceOf({ receive_ephemeral: true }), FACTS)).toEqual([]);
  });
});
