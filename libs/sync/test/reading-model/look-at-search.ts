import { expectTrue } from './assert.js';
import { describeEvent, type Look, type ToldEvent } from './look.js';
import type { ReaderModel } from './reader-model.js';
import type { Content, ModelEvent } from './room-model.js';

/** The words that messages of a life begin with, and edits. */
const WORDS = ['says', 'rephrases'] as const;

/** POST /search of the messages of the room, by either door. */
export async function lookAtSearch(look: Look): Promise<void> {
  const { reader, user, number } = look;
  const dialect = number(2) === 0 ? 'today' : 'v1';
  const word = WORDS[number(2)]!;
  const what = `POST ${dialect} /search for ${word}`;
  // A room in which the reader never was is searched where it is named, if its pages are theirs to read.
  const filter = { limit: 100, rooms: [look.living.room.roomId] };
  const events = { search_term: word, order_by: number(2) === 0 ? 'recent' : 'rank', filter };
  const body = { search_categories: { room_events: events } };
  const answer = dialect === 'v1' ? await user.v1('POST', '/search', body) : await user.call('POST', '/search', body);
  look.expectAnswered(what, answer);
  const { results, count } = answer.body.search_categories.room_events;
  const told = results as readonly { readonly result: ToldEvent }[];
  const found = told.map(({ result }) => look.checkTold(what, result, dialect));
  const has = (text: string): boolean => text.startsWith(word);
  for (const event of found) {
    const texts = textsFor(reader, event);
    expectTrue(() => `${what}: ${describeEvent(event)} is shown as ${texts.join(' or ')}`, texts.some(has));
  }
  expectTrue(() => `${what}: counts ${count} and tells ${found.length}`, count === found.length);
  if (reader.doorToEvents().open !== 'yes') return;
  for (const event of reader.room.events) {
    const isThere = !reader.room.isRedacted(event) && !reader.world.erased.has(event.sender);
    if (!isThere || reader.maySee(event) !== 'yes') continue;
    const texts = textsFor(reader, event);
    const isMissing = texts.length > 0 && texts.every(has) && !found.includes(event);
    expectTrue(() => `${what}: does not find ${describeEvent(event)}`, !isMissing);
  }
}

/** What a message may say to the reader: that of its newest valid edit of which they know, or its own. None of what is an edit itself. */
function textsFor(reader: ReaderModel, event: ModelEvent): readonly string[] {
  if (event.type !== 'm.room.message' || editedIn(event) !== undefined) return [];
  const { room } = reader;
  const edits = room.events.filter((edit) => {
    return editedIn(edit) === event.id && edit.sender === event.sender && !room.isRedacted(edit);
  });
  const texts: string[] = [];
  for (const edit of edits.toSorted((a, b) => b.time - a.time || (a.id < b.id ? 1 : -1))) {
    const contents = reader.contentsOf(edit);
    if (reader.maySee(edit) === 'no' || !contents.includes(edit.content)) continue;
    texts.push(String((edit.content['m.new_content'] as Content)['body']));
    if (reader.maySee(edit) === 'yes' && contents.length === 1) return texts;
  }
  return [...texts, String(event.content['body'])];
}

function editedIn({ content }: ModelEvent): unknown {
  const relation = content['m.relates_to'] as Content | undefined;
  return relation?.['rel_type'] === 'm.replace' ? relation['event_id'] : undefined;
}
