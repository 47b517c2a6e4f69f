import type { AppService } from '#config/appservices/app-service';
import { readSent, senderOfStream, usersIn } from '#devices/facts/to-device-facts';
import type { RecordedFact } from '#event-store/event-store';

/** Whether a message to devices is for one of a service's users. */
export function hasMessageFor(service: AppService, fact: RecordedFact): boolean {
  for (const userId of usersIn(fact)) if (service.hasUser(userId)) return true;
  return false;
}

/** What of `to-device-sent` is for devices of a service's users, each an event as JSON text (MSC4203). What they have collected is gone. */
export function renderMessages(service: AppService, fact: RecordedFact): string[] {
  const { type, to, contents } = readSent(fact);
  const sender = senderOfStream(fact.stream);
  return to.flatMap(([userId, deviceId, content]) => {
    if (!service.hasUser(userId)) return [];
    const rest = JSON.stringify({ sender, to_device_id: deviceId, to_user_id: userId, type });
    return [`{"content":${contents[content]},${rest.slice(1)}`];
  });
}
