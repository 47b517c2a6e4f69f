import { Injectable } from '@nestjs/common';
import type { JsonObject } from '#kernel/json';
import { PersonalData } from '#personal-data/personal-data';
import type { Delay } from './decide/known-delays.js';
import { DelayedEvents } from './delayed-events.js';
import { DELAYED_EVENT_SHAPES } from './facts/delayed-event-facts.js';
import { DELAYED_EVENTS, DELAYS_OF_USERS, DELEGATED_LEAVES } from './projections/delayed-events.projector.js';

/** What people have of this domain, for who asks for their data. */
@Injectable()
export class CallsData {
  constructor(data: PersonalData, delayed: DelayedEvents) {
    data.add({
      name: 'delayed-events',
      chapter: 'rooms',
      isCountedAsErased: true,
      title: 'Events to be sent later',
      about: 'What you have this server send for you, and what became of it lately.',
      covers: {
        collections: [DELAYED_EVENTS, DELAYS_OF_USERS, DELEGATED_LEAVES],
        facts: Object.keys(DELAYED_EVENT_SHAPES),
      },
      async *read(userId) {
        for (const delay of (await delayed.of(userId)).values()) {
          const text = textOf(delay);
          yield { data: JSON.parse(text) as JsonObject, text };
        }
      },
    });
  }
}

/** The content as it came, for its numbers keep their spelling. Of what was sent the room has it. */
function textOf({ event, end }: Delay): string {
  const { delay_id: id, room_id: room, type, state_key: key, delay, running_since: since, content } = event;
  const scheduled = { delay_id: id, room_id: room, type, state_key: key, delay_ms: delay, counted_since_ts: since };
  const ended = end && { outcome: end.outcome, ended_ts: end.ended_at, event_id: end.event_id };
  const text = JSON.stringify({ ...scheduled, ...ended });
  return content === undefined ? text : `${text.slice(0, -1)},"content":${content}}`;
}
