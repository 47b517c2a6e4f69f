import { compileMatcher } from '#accounts/filters/event-matcher';
import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { Reader } from '#rooms/reading/reader';
import { EDITS, PAGES, senderMark, SHELVES, TEXTS, WORDS } from '../projections/search-collections.js';
import type { TextKind } from '../projections/shelf-row.js';
import { isBehind } from '../projections/text-order.js';
import { soughtWordsOf } from '../words/words-of.js';
import { type FoundEvent, FoundEvents } from './found-events.js';
import { Matches } from './match-texts.js';
import type { SearchRequest } from './parse-search.js';
import type { Sought } from './shelf-search.js';
import { searchedShelves } from './searched-rooms.js';
import { SearchEffort } from './search-effort.js';
import { SearchPage } from './search-page.js';
import type { RankedKey, SearchPlace } from './search-token.js';

/** What the projector of the search writes. */
const VIEWS_OF_SEARCH = [SHELVES, PAGES, WORDS, TEXTS, EDITS].map(({ name }) => name);

/** So many of the newest results are ranked together, and counted. */
const RANKED = 300;
/** What is looked at for a page: many texts may have the words of which the reader is shown none. Some tenths of a second. */
const EFFORT = 50_000;
/** Nobody looks for more words at once. */
export const MOST_WORDS = 16;

/** Of what an event is that a text of this kind stands in. */
const TYPES: Readonly<Record<TextKind, string>> = {
  body: 'm.room.message',
  name: 'm.room.name',
  topic: 'm.room.topic',
};

/**
 * A page of the events that somebody looks for: those that they are shown, and of those the ones that pass the filter. Client-server API,
 * "Server Side Search". By rank the newest are put in order, and on later pages those before them. Where much has to be looked at for it a
 * page has fewer results than were asked for, or none, and the next one goes on from there.
 */
export async function searchEvents(
  views: Views,
  reader: Reader,
  request: SearchRequest,
  from: SearchPlace = { upTo: views.position(VIEWS_OF_SEARCH), behind: undefined, counted: 0, count: 0 },
): Promise<SearchPage> {
  const { filter, limit, order, term } = request;
  const { group, behind, until, upTo } = from;
  const words = soughtWordsOf(term).slice(0, MOST_WORDS);
  if (words.length === 0) return new SearchPage(from, request, { found: [], inOrder: [], end: undefined });
  // Those that were ranked together are found again, whatever that took.
  const effort = new SearchEffort(until === undefined ? EFFORT : 2 * EFFORT);
  const shelves = await searchedShelves(views, reader, filter, effort);
  const ofGroup = group?.by === 'room_id' ? shelves.filter(({ roomId }) => roomId === group.value) : shelves;
  const matches = new Matches({ views, reader }, ofGroup, { words, upTo, behind, ...soughtBy(request, from) }, effort);
  // The rooms are those before the named ones too.
  const matcher = compileMatcher({ ...filter, rooms: undefined });
  const events = new FoundEvents(views, reader, { matcher, words, group }, effort);
  const isFirst = from.count === 0;
  const wanted = order === 'rank' ? (until === undefined ? RANKED : 2 * RANKED) : isFirst ? RANKED : limit + 1;
  const some = await events.collect(matches, wanted + 1, until);
  const found = some.slice(0, wanted);
  // Whether there is another page, and where it begins, is for what is shown to say: nothing of it stands for what is hidden in between.
  const end = some.length > wanted ? found.at(-1)?.key : (until ?? matches.place);
  return new SearchPage(from, request, { found, inOrder: order === 'rank' ? ranked(found, from.last) : found, end });
}

function soughtBy({ filter, kinds }: SearchRequest, { group }: SearchPlace): Pick<Sought, 'kinds' | 'senders'> {
  const ofType = compileMatcher({ types: filter.types, not_types: filter.not_types });
  const senders = group?.by === 'sender' ? [group.value] : filter.senders;
  return {
    kinds: new Set([...kinds].filter((kind) => ofType.matches({ type: TYPES[kind] }))),
    senders: senders && new Set(senders.map((sender) => senderMark(sender as UserId))),
  };
}

/** Those behind the last one that was told, the best first. */
function ranked(found: readonly FoundEvent[], last: RankedKey | undefined): readonly FoundEvent[] {
  const left = last === undefined ? found : found.filter((one) => compareRanked(last, one) < 0);
  return left.toSorted(compareRanked);
}

function compareRanked(a: RankedKey, b: RankedKey): number {
  return b.rank - a.rank || (isBehind(b.key, a.key) ? -1 : Number(isBehind(a.key, b.key)));
}
