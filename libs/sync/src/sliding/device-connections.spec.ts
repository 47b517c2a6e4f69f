import { describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { positionOf } from '#testing/position-of';
import type { SlidingTold } from '../facts/sliding-facts.js';
import {
  connectionsToClose,
  type DeviceConnections,
  findState,
  foldConnections,
  isExpired,
  isSumDue,
  MOST_CONNECTIONS,
  NO_CONNECTIONS,
  sumUp,
} from './device-connections.js';
import { type ToldChange, toldDataOf, type ToldRoom } from './told-state.js';
import { WantedState } from './wanted-state.js';

const STATE = WantedState.of([{ include: [{ type: 'm.room.create', stateKey: '' }], exclude: [], lazyMembers: true }]);
const [A, B] = ['!a:x' as RoomId, '!b:x' as RoomId];
const told = (more: Partial<ToldRoom> = {}): ToldRoom => ({
  upTo: undefined,
  state: STATE,
  limit: 1,
  marks: 0,
  ...more,
});
const change = (rooms: Record<RoomId, ToldRoom>): ToldChange => ({
  rooms: new Map(Object.entries(rooms) as [RoomId, ToldRoom][]),
  extensions: new Map(),
});

const MONTH = 31 * 24 * 60 * 60_000;
const FOLDED_BY = { history: 'h', parse: (text: string) => WantedState.parse(text) };

/** A stream that is folded as it is written. */
class Stream {
  connections: DeviceConnections = NO_CONNECTIONS;
  readonly facts: { type: string; data: string; metadata: { at: number } }[] = [];
  now = 0;

  write(type: string, data: object): number {
    this.facts.push({ type, data: JSON.stringify(data), metadata: { at: this.now } });
    const revision = this.facts.length - 1;
    this.connections = foldConnections(this.connections, this.facts.at(-1)!, revision, FOLDED_BY);
    return revision;
  }

  tell(conn: string, after: number | null, rooms: Record<RoomId, ToldRoom>, more: Partial<SlidingTold> = {}): number {
    return this.write('sliding-told', { conn, after, history: 'h', ...toldDataOf(change(rooms)), ...more });
  }

  roomsAt(conn: string, revision: number): object | undefined {
    const state = findState(this.connections.connections.get(conn), revision);
    return state && Object.fromEntries(state.rooms);
  }
}

describe('the connections of a device', () => {
  it('know how a client stands that comes with any answer to its last request', () => {
    const stream = new Stream();
    const first = stream.tell('c', null, { [A]: told() });
    const lost = stream.tell('c', first, { [B]: told({ limit: 5 }) });
    const again = stream.tell('c', first, { [B]: told({ limit: 7 }) });
    expect(stream.roomsAt('c', first)).toEqual({ [A]: told() });
    expect(stream.roomsAt('c', lost)).toEqual({ [A]: told(), [B]: told({ limit: 5 }) });
    expect(stream.roomsAt('c', again)).toEqual({ [A]: told(), [B]: told({ limit: 7 }) });
  });

  it('forget what was before a client came, and the answers that it did not get', () => {
    const stream = new Stream();
    const first = stream.tell('c', null, { [A]: told() });
    const lost = stream.tell('c', first, { [B]: told({ limit: 5 }) });
    const got = stream.tell('c', first, { [B]: told({ limit: 7 }) });
    const next = stream.tell('c', got, { [A]: told({ upTo: positionOf(3) }) });
    expect([first, lost].map((revision) => stream.roomsAt('c', revision))).toEqual([undefined, undefined]);
    expect(stream.roomsAt('c', got)).toEqual({ [A]: told(), [B]: told({ limit: 7 }) });
    expect(stream.roomsAt('c', next)).toEqual({ [A]: told({ upTo: positionOf(3) }), [B]: told({ limit: 7 }) });
  });

  it('begin anew with an answer to a request without a place', () => {
    const stream = new Stream();
    const first = stream.tell('c', null, { [A]: told() });
    const anew = stream.tell('c', null, { [B]: told() });
    expect([stream.roomsAt('c', first), stream.roomsAt('c', anew)]).toEqual([undefined, { [B]: told() }]);
    expect(stream.roomsAt('d', anew)).toBeUndefined();
  });

  it('count for nothing in another history of the log, and once the device is gone', () => {
    const stream = new Stream();
    const old = stream.tell('c', null, { [A]: told() }, { history: 'before' });
    expect(stream.roomsAt('c', old)).toBeUndefined();
    expect(stream.roomsAt('c', stream.tell('c', old, {}))).toBeUndefined();
    const now = stream.tell('c', null, { [A]: told() });
    stream.write('sliding-closed', {});
    expect(stream.roomsAt('c', now)).toBeUndefined();
  });

  it('are the same once what counts is summed up', () => {
    const stream = new Stream();
    const first = stream.tell('c', null, { [A]: told() });
    const got = stream.tell('c', first, { [B]: told({ marks: 3 }) });
    const [one, two] = [got, got].map((after, n) => stream.tell('c', after, { [A]: told({ limit: n + 2 }) }));
    const other = stream.tell('d', null, { [B]: told() });
    const expected = [got, one!, two!].map((revision) => stream.roomsAt('c', revision));
    const sums = sumUp(stream.connections, 'h', 0);
    const short = new Stream();
    for (const sum of sums) short.write('sliding-summed-up', sum);
    expect([got, one!, two!].map((revision) => short.roomsAt('c', revision))).toEqual(expected);
    expect(short.roomsAt('d', other)).toEqual({ [B]: told() });
    expect(short.connections.told).toBe(0);
  });

  it('are summed up once much more was told than counts', () => {
    const stream = new Stream();
    let last = stream.tell('c', null, { [A]: told() });
    expect(isSumDue(stream.connections)).toBe(false);
    for (let n = 0; n < 600; n++) last = stream.tell('c', last, { [A]: told({ limit: n }) });
    expect(isSumDue(stream.connections)).toBe(true);
  });

  it('are no more than so many: the one that was told something longest ago gives way', () => {
    const stream = new Stream();
    for (let n = 0; n < MOST_CONNECTIONS; n++) stream.tell(`c${n}`, null, {});
    stream.tell('c0', null, {});
    expect(connectionsToClose(stream.connections, 'c5', 0)).toEqual([]);
    expect(connectionsToClose(stream.connections, 'new', 0)).toEqual(['c1']);
    const opened = stream.tell('new', null, {}, { closed: ['c1'] });
    expect(stream.connections.connections.size).toBe(MOST_CONNECTIONS);
    expect(stream.roomsAt('new', opened)).toEqual({});
  });

  it('expire when nothing was noted of them for a month, as they go on and as they are summed up', () => {
    const stream = new Stream();
    stream.tell('old', null, { [A]: told() });
    stream.now = 2 * MONTH;
    const now = stream.tell('new', null, { [A]: told() });
    expect(connectionsToClose(stream.connections, 'new', stream.now)).toEqual(['old']);
    stream.now += MONTH / 2;
    const sums = sumUp(stream.connections, 'h', stream.now);
    expect(sums.map(({ conn, closed }) => [conn, closed])).toEqual([['new', ['old']]]);
    // A sum makes nothing younger.
    stream.now += MONTH / 2;
    for (const sum of sums) stream.write('sliding-summed-up', sum);
    expect(stream.connections.connections.has('old')).toBe(false);
    expect(stream.roomsAt('new', now)).toEqual({ [A]: told() });
    expect(isExpired(stream.connections.connections.get('new')!, stream.now)).toBe(true);
  });

  it('are summed up in less than a log takes at once: the largest and oldest give way', () => {
    const stream = new Stream();
    const rooms = (count: number): Record<RoomId, ToldRoom> =>
      Object.fromEntries(
        Array.from({ length: count }, (_, n) => [`!${String(n).padStart(42, 'x')}` as RoomId, told()]),
      );
    for (const name of ['first', 'second', 'third']) stream.tell(name, null, rooms(9_000));
    stream.tell('huge', null, rooms(20_000));
    stream.tell('small', null, rooms(2));
    const sums = sumUp(stream.connections, 'h', 0);
    expect(sums.map(({ conn }) => conn)).toEqual(['third', 'small']);
    expect(sums.flatMap(({ closed }) => closed ?? [])).toEqual(['huge', 'second', 'first']);
    expect(Buffer.byteLength(JSON.stringify(sums))).toBeLessThan(1_000_000);
  });
});
