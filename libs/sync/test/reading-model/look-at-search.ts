import { expectTrue } from './assert.js';
import { describeEvent, type Look, type ToldEvent } from './look.js';
import type { ModelEvent } from './room-model.js';

/** The word that messages of a life begin with. */
const WORD = 'says';

/** POST /search of the messages of the room, by either door. */
export async function lookAtSearch(look: Look): Promise<void> {
  const { reader, user, number } = look;
  const dialect = number(2) === 0 ? 'today' : 'v1';
  const what = `POST ${dialect} /search`;
  // A room in which the reader never was is searched where it is named.
  const filter = { limit: 100, rooms: [look.living.room.roomId] };
  const events = { search_term: WORD, order_by: 'recent', filter };
  const body = { search_categories: { room_events: events } };
  const answer = dialect === 'v1' ? await user.v1('POST', '/search', body) : await user.call('POST', '/search', body);
  look.expectAnswered(what, answer);
  const { results, count } = answer.body.search_categories.room_events;
  const told = results as readonly { readonly result: ToldEvent }[];
  const found = told.map(({ result }) => look.checkTold(what, result, dialect));
  for (const event of found) expectTrue(() => `${what}: ${describeEvent(event)} has not the word`, hasWord(event));
  expectTrue(() => `${what}: counts ${count} and tells ${found.length}`, count === found.length);
  for (const event of reader.room.events) {
    const isThere = hasWord(event) && !reader.room.isRedacted(event) && !reader.world.erased.has(event.sender);
    if (!isThere || reader.maySee(event) !== 'yes') continue;
    expectTrue(() => `${what}: does not find ${describeEvent(event)}`, found.includes(event));
  }
}

function hasWord({ type, content }: ModelEvent): boolean {
  return type === 'm.room.message' && String(content['body']).startsWith(WORD);
}
