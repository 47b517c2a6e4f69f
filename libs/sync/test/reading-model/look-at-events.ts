import { expectSame } from './assert.js';
import { type Dialect, describeEvent, type Look, type ToldEvent } from './look.js';
import type { ModelEvent } from './room-model.js';

/** GET /event of events of the room, by each path there is. */
export async function lookAtEvents(look: Look): Promise<void> {
  const { reader, path } = look;
  const { elsewhere } = look.living;
  if (elsewhere !== undefined) {
    const answer = await look.ask('today', `${path}/event/${encodeURIComponent(elsewhere)}`);
    look.expectRefused('GET /event of another room by way of this one', answer);
  }
  for (const event of reader.room.events) {
    // A third of them at each look: over a life, and over all lives, that is every one from every side.
    if (look.number(3) > 0) continue;
    const id = encodeURIComponent(event.id);
    const paths: [Dialect, string][] = [['today', `${path}/event/${id}`]];
    const other = look.number(6);
    if (other === 0) paths.push(['today', `/events/${id}`]);
    if (other === 1) paths.push(['v1', `/events/${id}`]);
    for (const [dialect, way] of paths) {
      const what = `GET ${dialect} ${way.replace(id, describeEvent(event))}`;
      const answer = await look.ask(dialect, way);
      const verdict = reader.maySee(event);
      if (verdict === 'no') look.expectRefused(what, answer);
      else if (verdict === 'yes') look.expectAnswered(what, answer);
      if (answer.status !== 200) continue;
      expectSame('an event', look.checkTold(what, answer.body as ToldEvent, dialect), event);
    }
  }
}

/** GET /context of one event. */
export async function lookAround(look: Look): Promise<void> {
  const { reader, path, number } = look;
  const event = reader.room.events[number(reader.room.length)]!;
  const limit = number(12);
  const lazy = number(2) === 0 ? `&filter=${encodeURIComponent('{"lazy_load_members":true}')}` : '';
  const what = `GET /context of ${describeEvent(event)} limit ${limit} ${lazy}`;
  const answer = await look.ask('today', `${path}/context/${encodeURIComponent(event.id)}?limit=${limit}${lazy}`);
  const verdict = reader.maySee(event);
  if (verdict === 'no') return look.expectRefused(what, answer);
  if (verdict === 'yes') look.expectAnswered(what, answer);
  if (answer.status !== 200) return;
  const { body } = answer;
  expectSame(what, look.checkTold(what, body.event as ToldEvent), event);
  const door = reader.doorToEvents();
  // Who may not read the room at all sees of it what they may see of it event by event.
  const all =
    door.open === 'no' ? reader.room.events.filter((it) => reader.maySee(it) === 'yes') : reader.visibleEvents();
  const half = Math.floor(limit / 2);
  const earlier = all.filter(({ index }) => index < event.index).toReversed();
  look.checkPage(() => `${what}: before`, body.events_before, earlier, half);
  look.checkPage(
    () => `${what}: after`,
    body.events_after,
    all.filter(({ index }) => index > event.index),
    limit - half,
  );
  if (reader.isClosed()) return;
  const before = (body.events_before as ToldEvent[]).map((told) => look.checkTold(what, told));
  const after = (body.events_after as ToldEvent[]).map((told) => look.checkTold(what, told));
  const last = after.at(-1) ?? event;
  const there = reader.room.stateAfter(last.index);
  // Who may not read the room's state sees of it what they may see event by event; of their own way it is left open.
  // So does who has left, of the state after what they are shown that came later.
  const inside = reader.door();
  const isAfterStay = inside.open === 'no' || last.index > (inside.end ?? Infinity);
  const isShut = isAfterStay && !reader.isForTheWorld(last);
  const isTold = (it: ModelEvent): boolean => (body.state as ToldEvent[]).some(({ event_id: id }) => id === it.id);
  const maySee = (it: ModelEvent): boolean =>
    reader.maySee(it) === 'yes' || (reader.maySee(it) === 'maybe' && isTold(it));
  const state = isShut ? new Map([...there].filter(([, it]) => maySee(it))) : there;
  if (lazy === '') return look.checkState(`${what}: state`, body.state as ToldEvent[], state);
  const senders = new Set([event, ...before, ...after].map(({ sender }) => sender));
  const wanted = [...state].filter(([, it]) => it.type !== 'm.room.member' || senders.has(it.stateKey!));
  look.checkState(`${what}: state`, body.state as ToldEvent[], new Map(wanted));
}
