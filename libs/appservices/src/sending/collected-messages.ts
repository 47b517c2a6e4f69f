import type { AppService } from '#config/appservices/app-service';
import type { DeviceKey } from '#devices/facts/device-streams';
import { readSent } from '#devices/facts/to-device-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';

/**
 * Up to where devices have what is for them once their service has accepted facts: those of users that nobody else may be, where the service
 * encrypts for them by what it is sent (MSC3202). Others may sync, also with messages that their service was sent: theirs wait for that (MSC4203).
 */
export function collectedBy(
  service: AppService,
  facts: readonly RecordedFact[],
): readonly (readonly [device: DeviceKey, upTo: Position])[] {
  if (!service.receivesDevices) return [];
  const upTo = new Map<string, readonly [DeviceKey, Position]>();
  for (const fact of facts) {
    if (fact.type !== 'to-device-sent') continue;
    for (const [userId, deviceId] of readSent(fact).to) {
      if (service.hasUser(userId) && service.ownsUser(userId))
        upTo.set(JSON.stringify([userId, deviceId]), [[userId, deviceId], fact.position]);
    }
  }
  return [...upTo.values()];
}
