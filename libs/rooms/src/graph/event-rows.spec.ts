import { describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import { START } from '#kernel/position';
import type { JsonObject } from '#kernel/json';
import type { OwnRows } from '#projections/projector';
import { trieOf } from '#protocol/state-trie/state-trie';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, project, recordFacts, type StreamFact } from '#testing/project';
import { graphProjector } from '../projections/graph.projector.js';
import { createRoomFactReader } from '../projections/room-fact-reader.js';
import { formatGraphEvent, NO_STATE } from './graph-rows.js';
import { projectGraph } from './project-graph.js';
import { RoomGraph } from './room-graph.js';

const ROOM = '!r:a.example' as RoomId;
const stream = `room-${ROOM}`;
const [CREATE, JOIN, LOST, TARGET, FIRST, SECOND] = ['$create', '$join', '$lost', '$target', '$zz', '$aa'] as EventId[];
const TOLD = [{ type: 'm.room.create', stateKey: '', eventId: CREATE! }];
const { rootHash: root } = trieOf(TOLD);

function event(
  eventId: EventId | undefined,
  prev: readonly (EventId | undefined)[],
  more: object = {},
  pdu: JsonObject = {},
): StreamFact {
  const all = { type: 'm.room.message', depth: 1, prev_events: prev as EventId[], content: {}, ...pdu };
  const data = { event_id: eventId, room_version: '11', state: [], root, ...more, pdu: all };
  return { stream, type: 'pdu-accepted', data };
}

const create = event(CREATE, [], { state: [{ type: 'm.room.create', state_key: '', event_id: CREATE }] });
const learnt: StreamFact = {
  stream,
  type: 'state-learnt',
  data: { event_id: JOIN, part: 1, parts: 1, root, state: TOLD.map((one) => [one.type, one.stateKey, one.eventId]) },
};
const redaction = (eventId: EventId | undefined, version = '11'): StreamFact => {
  const pdu = {
    type: 'm.room.redaction',
    ...(version === '11' ? { content: { redacts: TARGET! } } : { redacts: TARGET! }),
  };
  return event(eventId, [CREATE], { room_version: version }, pdu);
};
const redacted = (eventId: EventId | undefined, by: EventId | undefined): StreamFact => ({
  stream,
  type: 'pdu-redacted',
  data: { event_id: eventId, redacted_by: by, room_version: '11', pdu: {} },
});

/** The graph of some facts, whose rows do not depend on how often or in which batches they are applied. */
async function graphOf(facts: readonly StreamFact[]): Promise<RoomGraph> {
  await project(graphProjector(createRoomFactReader()), facts);
  const views = new MemoryReadModels();
  await applyFacts(graphProjector(createRoomFactReader()), recordFacts(facts), views);
  return new RoomGraph(views, ROOM);
}

describe('what the graph knows of single events', () => {
  it('is written without waiting for a message, where rows are at hand', () => {
    const [first, second, third] = recordFacts([event(FIRST, [CREATE]), event(SECOND, [FIRST]), event(LOST, [SECOND])]);
    const known = { outcome: 'accepted', revision: 0, position: START, depth: 1 } as const;
    const written: string[] = [];
    const rows: OwnRows = {
      get: () => written.at(-1) ?? formatGraphEvent({ ...known, states: { before: NO_STATE, after: NO_STATE } }),
      scan: () => [],
      put: (_collection, _key, value) => void written.push(value),
      delete: () => {},
    };
    for (const fact of [first!, second!, third!]) expect(projectGraph(fact, rows)).toBeUndefined();
    expect(written).toHaveLength(3);
  });

  it('is which of them are of the past: an accepted event stood on them before they were here', async () => {
    const afterGap = event(JOIN, [LOST, CREATE], { base: { learnt: JOIN } });
    const graph = await graphOf([create, learnt, afterGap, event(LOST, [CREATE], { history: true })]);
    expect(await Promise.all([LOST, CREATE, JOIN].map((id) => graph.isHole(id!)))).toEqual([true, false, false]);
  });

  it('is no event of the past because one that was refused stood on it', async () => {
    const afterGap = event(JOIN, [LOST, CREATE], { base: { learnt: JOIN } });
    for (const type of ['pdu-rejected', 'pdu-soft-failed'])
      expect(await (await graphOf([create, learnt, { ...afterGap, type }])).isHole(LOST!)).toBe(false);
  });

  it('is the state before one as it was told, once all of it is there', async () => {
    const half: StreamFact = { ...learnt, data: { ...(learnt.data as object), event_id: LOST, parts: 2 } };
    const graph = await graphOf([create, learnt, half]);
    expect(await (await graph.findLearntState(JOIN!))?.list()).toEqual(TOLD);
    expect(await graph.findLearntState(LOST!)).toBeUndefined();
    expect(await graph.findLearntState(CREATE!)).toBeUndefined();
  });

  it.each(['10', '11'])(
    'is which redactions name one that is not here yet, oldest first (room version %s)',
    async (id) => {
      const graph = await graphOf([create, redaction(FIRST, id), redaction(SECOND, id), event(TARGET, [CREATE])]);
      expect(await graph.listRedactionsOf(TARGET!)).toEqual([FIRST, SECOND]);
      expect(await graph.listRedactionsOf(CREATE!)).toEqual([]);
    },
  );

  it('is where the log keeps what remains of a redacted one', async () => {
    const graph = await graphOf([create, event(TARGET, [CREATE]), redaction(FIRST), redacted(TARGET, FIRST)]);
    expect(await graph.findRedacted(TARGET!)).toBe(3);
    expect(await graph.findRedacted(FIRST!)).toBeUndefined();
  });
});
