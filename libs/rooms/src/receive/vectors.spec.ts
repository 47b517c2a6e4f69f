import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { RoomEvent } from '#protocol/room-event';
import { ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import { keysOf, MemoryRoom } from '#testing/receiving/memory-room';
import { findStateBefore } from './5-check-state-before.js';
import { judgePdu } from './judge-pdu.js';

interface Case {
  readonly name: string;
  readonly batches: readonly string[];
  readonly resolved: readonly (readonly [string, string, string])[];
}

interface VectorPdu {
  readonly event_id: EventId;
  readonly room_id: RoomId;
  readonly sender: UserId;
  readonly type: string;
  readonly content: JsonObject;
  readonly state_key: string;
  readonly origin_server_ts: number;
  readonly prev_events: readonly EventId[];
  readonly auth_events: readonly EventId[];
}

const version = ROOM_VERSIONS.find(({ id }) => id === '10')!;

/** The recorded graphs of the protocol's tests. Their ids are symbolic and nobody signed them: they begin after step 3. */
function read<T>(name: string): T {
  const path = `../../../protocol/src/state-resolution/vectors/${name}`;
  return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as T;
}

function eventOf(pdu: VectorPdu): RoomEvent {
  return {
    eventId: pdu.event_id,
    roomId: pdu.room_id,
    type: pdu.type,
    sender: pdu.sender,
    stateKey: pdu.state_key,
    content: pdu.content,
    originServerTs: pdu.origin_server_ts,
    depth: 1,
    prevEvents: pdu.prev_events,
    authEvents: pdu.auth_events,
    redacts: undefined,
    pdu: pdu as unknown as JsonObject,
  };
}

describe.each(read<Case[]>('cases.json'))('the recorded room: $name', ({ batches, resolved }) => {
  it('comes to the known state, whichever of its extremities arrives first', async () => {
    const events = batches.flatMap((name) => read<VectorPdu[]>(name).map(eventOf));
    const orders = [events, arriveBackwards(events)];
    for (const order of orders) {
      const room = new MemoryRoom(order[0]!.roomId, version, keysOf());
      for (const event of order) {
        const outcome = await judgePdu(
          { kind: 'prepared', event, pduText: '{}', origin: 'x' as ServerName, verdict: { isAllowed: true } },
          room,
        );
        expect(['accepted', 'soft-failed']).toContain(outcome.kind);
        room.apply(outcome);
      }
      const leaves = events.filter(({ eventId }) => !events.some(({ prevEvents }) => prevEvents.includes(eventId)));
      const merge = {
        ...events.at(-1)!,
        prevEvents: leaves.map(({ eventId }) => eventId),
        eventId: '$merge' as EventId,
      };
      const before = await findStateBefore(merge, room.known, room);
      if ('missing' in before) throw new Error('an extremity is not there');
      const entries = [...before.state.entries()].map(({ type, stateKey, eventId }) => [type, stateKey, eventId]);
      expect(entries.sort()).toEqual([...resolved].sort());
    }
  });
});

/** The last first, each after what it refers to. */
function arriveBackwards(events: readonly RoomEvent[]): RoomEvent[] {
  const arrived = new Set<EventId>();
  const order: RoomEvent[] = [];
  const left = [...events].toReversed();
  while (left.length > 0) {
    const at = left.findIndex(({ prevEvents, authEvents }) =>
      [...prevEvents, ...authEvents].every((eventId) => arrived.has(eventId)),
    );
    const [event] = left.splice(at, 1);
    arrived.add(event!.eventId);
    order.push(event!);
  }
  return order;
}
