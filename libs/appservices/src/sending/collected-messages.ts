import type { AppService } from '#config/appservices/app-service';
import type { DeviceKey } from '#devices/facts/device-streams';
import { readSent } from '#devices/facts/to-device-facts';
import type { MessagePlace } from '#devices/inboxes';
import type { RecordedFact } from '#event-store/event-store';

/** What a service has of what is for a device. */
export interface CollectedOfDevice {
  readonly device: DeviceKey;
  readonly messages: readonly MessagePlace[];
}

/**
 * What devices have once their service has accepted facts: what these tell devices of users that no other service may be, where the service
 * encrypts for them by what it is sent (MSC3202). Others may sync, also with messages that their service was sent: theirs wait for that (MSC4203).
 */
export function collectedBy(service: AppService, facts: readonly RecordedFact[]): readonly CollectedOfDevice[] {
  if (!service.receivesDevices) return [];
  const collected = new Map<string, { readonly device: DeviceKey; readonly messages: MessagePlace[] }>();
  for (const fact of facts) {
    if (fact.type !== 'to-device-sent') continue;
    const { stream, revision, position } = fact;
    for (const [userId, deviceId] of readSent(fact).to) {
      if (!service.hasUser(userId) || !service.ownsUser(userId)) continue;
      const key = JSON.stringify([userId, deviceId]);
      const ofDevice = collected.get(key) ?? { device: [userId, deviceId], messages: [] };
      collected.set(key, ofDevice);
      ofDevice.messages.push({ stream, revision, position });
    }
  }
  return [...collected.values()];
}
