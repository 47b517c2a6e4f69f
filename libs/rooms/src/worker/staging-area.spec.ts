import { describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import type { PreparedPdu } from '../receive/outcome.js';
import { StagingArea } from './staging-area.js';

const ROOM = '!r:a.example' as RoomId;
const OTHER_ROOM = '!other:a.example' as RoomId;
const [PARENT, AUTH] = ['$parent', '$auth'] as EventId[];

/** Lets events wait, each for these parents and auth events. */
function stage(
  area: StagingArea,
  id: string,
  parents: unknown[],
  authEvents: unknown[] = [],
  room = ROOM,
  text = '',
): void {
  const pdu = { event: { eventId: id }, pduText: text } as unknown as PreparedPdu; // all that the area looks at
  const missing = { kind: 'missing' as const, eventId: id as EventId, beside: [] };
  const waitsFor = { parents: parents as EventId[], authEvents: authEvents as EventId[] };
  area.add(room, { pdu, arrival: {} }, { ...missing, ...waitsFor });
}

const release = (area: StagingArea, id: unknown, isPlaced = true, room = ROOM): string[] =>
  area.release(room, id as EventId, isPlaced).map(({ pdu }) => pdu.event.eventId);

describe('events that wait', () => {
  it('are released once all that they wait for is there', () => {
    const area = new StagingArea();
    stage(area, '$a', [PARENT], [AUTH]);
    stage(area, '$b', [PARENT]);
    expect(release(area, PARENT, true, OTHER_ROOM)).toEqual([]);
    expect(release(area, PARENT)).toEqual(['$b']);
    expect(release(area, AUTH)).toEqual(['$a']);
    expect(release(area, AUTH)).toEqual([]);
    expect(area.numbers).toMatchObject({ size: 0, hits: 2 });
  });

  it('need the place of a parent, and of an auth event only that it is there', () => {
    const area = new StagingArea();
    stage(area, '$a', [PARENT], [AUTH]);
    expect(release(area, AUTH, false)).toEqual([]);
    expect(release(area, PARENT, false)).toEqual([]);
    expect(release(area, PARENT)).toEqual(['$a']);
  });

  it('wait for what they were last found to miss', () => {
    const area = new StagingArea();
    stage(area, '$a', [PARENT]);
    stage(area, '$a', [AUTH]);
    expect(area.numbers.size).toBe(1);
    expect(release(area, PARENT)).toEqual([]);
    expect(release(area, AUTH)).toEqual(['$a']);
  });

  it('are no more than a thousand of a room, and no more text than so much: the oldest go', () => {
    const area = new StagingArea();
    stage(area, '$elsewhere', [PARENT], [], OTHER_ROOM);
    for (let i = 0; i < 1_001; i++) stage(area, `$${i}`, [PARENT]);
    expect(area.numbers).toMatchObject({ size: 1_001, evictions: 1 });
    expect(release(area, PARENT)).not.toContain('$0');
    expect(release(area, PARENT, true, OTHER_ROOM)).toEqual(['$elsewhere']);
    const large = 'x'.repeat(40 * 1024 * 1024);
    stage(area, '$large', [PARENT], [], ROOM, large);
    stage(area, '$larger', [PARENT], [], OTHER_ROOM, large);
    expect(release(area, PARENT)).toEqual([]);
    expect(release(area, PARENT, true, OTHER_ROOM)).toEqual(['$larger']);
  });
});
