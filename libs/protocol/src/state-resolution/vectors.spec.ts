import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { EventId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { makeEvent, versionOf } from '../../test/hand-made-events.js';
import { checkEventAuth } from '../event-auth/authorize-event.js';
import type { RoomEvent } from '../room-event.js';
import { StateTrie } from '../state-trie/state-trie.js';
import { resolveState } from './resolve-state.js';

interface Case {
  readonly name: string;
  readonly batches: readonly string[];
  readonly resolved: readonly (readonly [string, string, string])[];
}

interface VectorPdu {
  readonly event_id: string;
  readonly room_id: string;
  readonly sender: string;
  readonly type: string;
  readonly content: JsonObject;
  readonly state_key: string;
  readonly origin_server_ts: number;
  readonly prev_events: readonly string[];
  readonly auth_events: readonly string[];
}

const version = versionOf('10');

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`./vectors/${name}`, import.meta.url), 'utf8')) as T;
}

function readBatch(name: string): RoomEvent[] {
  return read<VectorPdu[]>(name).map((pdu) =>
    makeEvent(
      {
        id: pdu.event_id,
        roomId: pdu.room_id,
        sender: pdu.sender,
        type: pdu.type,
        content: pdu.content,
        stateKey: pdu.state_key,
        ts: pdu.origin_server_ts,
        prev: pdu.prev_events,
        auth: pdu.auth_events,
      },
      version,
    ),
  );
}

/** A server that has received some events: their states, and what it takes for the current state of the room. */
class Receiver {
  readonly #events = new Map<EventId, RoomEvent>();
  readonly #after = new Map<EventId, StateTrie>();
  current = StateTrie.empty;

  /** Receives events and resolves once: the current state so far, and the states after the last events of these. */
  receive(batch: readonly RoomEvent[]): void {
    const last = new Set<EventId>();
    for (const event of batch) {
      this.#accept(event);
      last.add(event.eventId);
      for (const eventId of event.prevEvents) last.delete(eventId);
    }
    const after = [...last].map((eventId) => this.#stateAfter(eventId));
    this.current = this.#resolve(this.current === StateTrie.empty ? after : [this.current, ...after]);
  }

  #accept(event: RoomEvent): void {
    const before = this.#resolve(event.prevEvents.map((eventId) => this.#stateAfter(eventId)));
    const get = (type: string, stateKey: string) => this.#events.get(before.get(type, stateKey) ?? ('' as EventId));
    checkEventAuth(event, version, { createEvent: get('m.room.create', ''), get });
    this.#events.set(event.eventId, event);
    this.#after.set(event.eventId, before.set(event.type, event.stateKey ?? '', event.eventId));
  }

  #stateAfter(eventId: EventId): StateTrie {
    const state = this.#after.get(eventId);
    if (state === undefined) throw new Error(`no such event: ${eventId}`);
    return state;
  }

  #resolve(states: readonly StateTrie[]): StateTrie {
    return resolveState(states, version, { get: (id) => this.#events.get(id), rejectionOf: () => undefined });
  }
}

function resolveIn(batches: readonly (readonly RoomEvent[])[]): unknown[] {
  const receiver = new Receiver();
  for (const batch of batches) receiver.receive(batch);
  return [...receiver.current.entries()].map(({ type, stateKey, eventId }) => [type, stateKey, eventId]).sort();
}

describe.each(read<Case[]>('cases.json'))('state resolution: $name', ({ batches: names, resolved }) => {
  const batches = names.map(readBatch);
  const all = batches.flat();
  const expected = [...resolved].sort();

  it('comes to the known result all at once', () => {
    expect(resolveIn([all])).toEqual(expected);
  });

  it('comes to the known result batch by batch', () => {
    expect(resolveIn(batches)).toEqual(expected);
  });

  it('comes to the known result event by event', () => {
    expect(resolveIn(all.map((event) => [event]))).toEqual(expected);
  });
});
