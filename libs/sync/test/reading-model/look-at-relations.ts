import { Difference, expectSame } from './assert.js';
import { describeEvent, type Look, type ToldEvent } from './look.js';
import { isLetIn } from './look-at-pages.js';
import type { ReaderModel } from './reader-model.js';
import type { ModelEvent } from './room-model.js';

/** How many levels of relations a recursion follows. */
const MAX_DEPTH = 3;

interface Relation {
  readonly rel_type?: string;
  readonly event_id?: string;
}

/** GET /relations of one event, with what relates to those and without, and GET /threads. */
export async function lookAtRelations(look: Look): Promise<void> {
  const { reader } = look;
  const related = reader.room.events.filter((event) => relationOf(event).event_id !== undefined);
  const chosen = related[look.number(related.length)];
  const parent = chosen && reader.room.find(relationOf(chosen).event_id!);
  if (parent !== undefined) await lookAtRelationsOf(look, parent, look.number(2) === 0 ? 1 : MAX_DEPTH);
  await lookAtThreads(look);
}

async function lookAtRelationsOf(look: Look, parent: ModelEvent, depth: number): Promise<void> {
  const { reader, path } = look;
  const what = `GET /relations of ${describeEvent(parent)}, ${depth} deep`;
  const query = `limit=100&recurse=${depth > 1}`;
  const answer = await look.user.call(
    'GET',
    `/_matrix/client/v1${path}/relations/${encodeURIComponent(parent.id)}?${query}`,
  );
  // What somebody says of what they do not want to see may be shown or not.
  const verdict = isAllowedThoughIgnored(reader, parent) ? 'maybe' : reader.maySee(parent);
  if (verdict === 'no') return look.expectRefused(what, answer);
  if (verdict === 'yes') look.expectAnswered(what, answer);
  if (answer.status !== 200) return;
  const told: readonly ToldEvent[] = answer.body.chunk;
  const [sure, possible] = [true, false].map((isSure) => {
    return reached(reader, parent, depth, isSure).filter((event) => !reader.isIgnored(event));
  }) as [ModelEvent[], ModelEvent[]];
  const isTold = ({ id }: ModelEvent): boolean => told.some(({ event_id: toldId }) => toldId === id);
  const expected = possible.filter((event) => sure.includes(event) || isTold(event));
  look.checkPage(
    what,
    told,
    expected.toSorted((a, b) => b.index - a.index),
    Infinity,
  );
}

/** What relates to an event, and to what does, as far as the reader knows of each on the way: surely, or possibly. */
function reached(reader: ReaderModel, parent: ModelEvent, depth: number, isSure: boolean): ModelEvent[] {
  if (depth === 0) return [];
  return reader.room.events
    .filter((event) => relationOf(event).event_id === parent.id && isKnown(reader, event, isSure))
    .flatMap((event) => [event, ...reached(reader, event, depth - 1, isSure)]);
}

/** Whether the reader sees what an event says: what is redacted, for all or for them, relates to nothing any more. */
function isKnown(reader: ReaderModel, event: ModelEvent, isSure: boolean): boolean {
  if (reader.maySee(event) !== 'yes' && !isAllowedThoughIgnored(reader, event)) return false;
  const contents = reader.contentsOf(event);
  return !reader.room.isRedacted(event) && contents.includes(event.content) && (!isSure || contents.length === 1);
}

function isAllowedThoughIgnored(reader: ReaderModel, event: ModelEvent): boolean {
  return reader.isIgnored(event) && reader.isAllowed(event);
}

async function lookAtThreads(look: Look): Promise<void> {
  const { reader, path } = look;
  const what = 'GET /threads';
  const answer = await look.user.call('GET', `/_matrix/client/v1${path}/threads?limit=100`);
  if (!isLetIn(look, what, answer, reader.doorToEvents())) return;
  const told: readonly ToldEvent[] = answer.body.chunk;
  for (const root of told) {
    const event = reader.room.find(String(root['event_id']));
    // "If the thread root event was sent by an ignored user, the event is returned redacted to the caller."
    if (event !== undefined && isAllowedThoughIgnored(reader, event)) expectSame(what, root['content'], {});
    else look.checkTold(what, root);
  }
  if (reader.isClosed()) return;
  const namesOf = (isSure: boolean): string[] => rootsOf(reader, isSure).map(describeEvent);
  const names = told.map(({ event_id: id }) => describeEvent(reader.room.find(String(id))!));
  const missing = namesOf(true).filter((name) => !names.includes(name));
  if (missing.length > 0) throw new Difference(what, `lacks ${missing.join()}`);
  const possible = namesOf(false);
  const wrong = names.filter((name) => !possible.includes(name));
  if (wrong.length > 0) throw new Difference(what, `has ${wrong.join()}`);
}

/** The events that the reader may see, and to which something relates as a thread that they see. */
function rootsOf(reader: ReaderModel, isSure: boolean): ModelEvent[] {
  const { room } = reader;
  const children = room.events.filter((event) => !reader.isIgnored(event) && isKnown(reader, event, isSure));
  const roots = new Set(
    children.map(relationOf).flatMap(({ rel_type: type, event_id: id }) => (type === 'm.thread' && id ? [id] : [])),
  );
  return room.events.filter(
    (event) =>
      event.stateKey === undefined &&
      roots.has(event.id) &&
      (reader.maySee(event) === 'yes' || isAllowedThoughIgnored(reader, event)),
  );
}

function relationOf({ content }: ModelEvent): Relation {
  return (content['m.relates_to'] as Relation | undefined) ?? {};
}
