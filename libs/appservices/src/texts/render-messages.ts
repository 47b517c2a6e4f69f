import type { AppService } from '#config/appservices/app-service';
import { readSent, senderOfStream, usersIn } from '#devices/facts/to-device-facts';
import type { RecordedFact } from '#event-store/event-store';

/** What else a message takes, about. */
const AROUND_CONTENT = 200;

/** Whether a message to devices is for one of a service's users. */
export function hasMessageFor(service: AppService, fact: RecordedFact): boolean {
  for (const userId of usersIn(fact)) if (service.hasUser(userId)) return true;
  return false;
}

/** How many messages a service is told of a fact, and how long they are as text, about, in UTF-16 units: each receiver's has the content. */
export function sizeOfMessages(
  service: AppService,
  fact: RecordedFact,
): { readonly messages: number; readonly text: number } {
  const { to, contents } = readSent(fact);
  const told = to.filter(([userId]) => service.hasUser(userId));
  const text = told.reduce((sum, [, , content]) => sum + contents[content]!.length + AROUND_CONTENT, 0);
  return { messages: told.length, text };
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
