import { SERVER_STREAM } from '#event-store/log-identity';
import type { EventId, RoomId } from '#kernel/ids';
import { asJson, asMark, asText, Collection, owning } from '#projections/collection';
import type { Projector } from '#projections/projector';
import type { MessagesKept } from '../facts/ordered-redaction.js';
import { RETENTION_TYPES, type RetentionRuled } from '../facts/retention-facts.js';
import { purgeByRoom } from './purged-rows.js';
import { currentStateOf, type RoomFactReader } from './room-fact-reader.js';

/** By what rules messages are kept. Without a row none ever goes because of its age. */
export const RETENTION_RULES = new Collection<readonly [server: string], RetentionRuled>('retention-rules', {
  key: ['`server`'],
  says: 'for how long messages of rooms are kept, as the operator rules it',
  codec: asJson(),
});

/** The rooms that ever had a policy of their own. What it says is in their state, where redactions of it count too. */
export const RETENTION_ROOMS = new Collection<readonly [roomId: RoomId], true>('retention-rooms', {
  key: ['room'],
  says: 'empty: the room says, or said, for how long its messages are kept',
  codec: asMark,
});

/** Up to where the messages of a room were taken away because of their age. */
export const EXPIRED_UP_TO = new Collection<readonly [roomId: RoomId, kept: MessagesKept], EventId>('expired-up-to', {
  key: ['room', '`news` or `past`'],
  says: 'the last event that was taken away because of its age',
  codec: asText(),
});

/** The key of the only row of RETENTION_RULES. */
export const RULES_KEY = [SERVER_STREAM] as const;

const HANDLED: ReadonlySet<string> = new Set([
  'retention-ruled',
  'pdu-accepted',
  'state-taken',
  'pdu-redacted',
  'room-purged',
]);
const POLICIES: ReadonlySet<string> = new Set(RETENTION_TYPES);

/** Which rooms keep their messages for some time only, and how far that has come. PERF: a message costs nothing. */
export function retentionProjector(reader: RoomFactReader): Projector {
  return {
    name: 'retention',
    version: 1,
    ...owning(RETENTION_RULES, RETENTION_ROOMS, EXPIRED_UP_TO),
    handles: (type) => HANDLED.has(type),
    project(fact, rows) {
      if (fact.type === 'room-purged') return purgeByRoom(fact, rows, [RETENTION_ROOMS, EXPIRED_UP_TO]);
      if (fact.type === 'retention-ruled') {
        RETENTION_RULES.put(rows, RULES_KEY, JSON.parse(fact.data) as RetentionRuled); // written by `RuleRetention`
        return undefined;
      }
      if (fact.type === 'pdu-redacted') {
        const { roomId, data } = reader.redacted(fact);
        const { expired } = data.ordered ?? {};
        if (expired !== undefined) EXPIRED_UP_TO.put(rows, [roomId, expired], data.event_id);
        return undefined;
      }
      const changed = reader.findStateChange(fact);
      if (changed === undefined) return undefined;
      const isPolicy = currentStateOf(changed).some(
        ({ change }) => POLICIES.has(change.type) && change.state_key === '',
      );
      if (isPolicy) RETENTION_ROOMS.put(rows, [changed.roomId], true);
      return undefined;
    },
  };
}
