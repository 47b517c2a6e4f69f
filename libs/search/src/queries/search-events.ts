import { compileMatcher, type EventMatcher } from '#accounts/filters/event-matcher';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { passesFilter } from '#rooms/queries/event-filter';
import { readRowsAt } from '#rooms/reading/event-rows';
import type { Reader } from '#rooms/reading/reader';
import { findRoomReader, type RoomReader } from '#rooms/reading/room-reader';
import { servedWhole } from '#rooms/reading/withhold-erased';
import { EDITS, PAGES, senderMark, SHELVES, TEXTS, WORDS } from '../projections/search-collections.js';
import type { TextKind } from '../projections/shelf-row.js';
import { hasAll, soughtWordsOf, wordsOf } from '../words/words-of.js';
import { type Match, matchesIn, type Sought } from './match-texts.js';
import type { SearchRequest } from './parse-search.js';
import { rankMatch } from './rank-match.js';
import { searchedShelves } from './searched-rooms.js';
import { shownTexts } from './shown-texts.js';
import type { Group, SearchPlace } from './search-token.js';

/** An event that was found. */
export interface FoundEvent {
  readonly room: RoomReader;
  readonly row: TimelineRow;
  /** Its text as the reader is shown it, where it was edited. */
  readonly editedText: string | undefined;
  readonly rank: number;
}

/** What was found, in the order asked for. */
export interface SearchPage {
  readonly results: readonly FoundEvent[];
  /** How many there are in all; where they are many, how many of them were looked at. */
  readonly count: number;
  /** Up to where the log was looked at. */
  readonly upTo: Position;
  /** How many came before the next page; undefined where there is none. */
  readonly next: number | undefined;
  /** Of each value of a key: how many of it came before the next page, where that has more of it. */
  groupsLeft(group: Group): number | undefined;
}

/** What the projector of the search writes. */
const VIEWS_OF_SEARCH = [SHELVES, PAGES, WORDS, TEXTS, EDITS].map(({ name }) => name);

/** So many of the newest results are ranked, and counted. */
const RANKED = 300;
/** The most texts that are looked at for a page: many may match of which the reader is shown none. */
const MOST_LOOKED_AT = 10_000;
const BATCH = 64;
/** Nobody looks for more words at once. */
const MOST_WORDS = 16;

/** Of what an event is that a text of this kind stands in. */
const TYPES: Readonly<Record<TextKind, string>> = {
  body: 'm.room.message',
  name: 'm.room.name',
  topic: 'm.room.topic',
};

/**
 * A page of the events that somebody looks for: those that they are shown, and of those the ones that pass the filter. Client-server API,
 * "Server Side Search". By rank the newest results alone are put in order.
 */
export async function searchEvents(
  views: Views,
  reader: Reader,
  request: SearchRequest,
  from: SearchPlace | undefined,
): Promise<SearchPage> {
  const { filter, limit, order, term } = request;
  const upTo = from?.upTo ?? views.position(VIEWS_OF_SEARCH);
  const offset = from?.offset ?? 0;
  // The rooms are those before the named ones too.
  const matcher = compileMatcher({ ...filter, rooms: undefined });
  const senders = filter.senders && new Set(filter.senders.map((sender) => senderMark(sender as UserId)));
  const ofType = compileMatcher({ types: filter.types, not_types: filter.not_types });
  const kinds = new Set([...request.kinds].filter((kind) => ofType.matches({ type: TYPES[kind] })));
  const sought: Sought = { words: soughtWordsOf(term).slice(0, MOST_WORDS), kinds, senders, upTo };
  if (sought.words.length === 0) return pageOf([], { upTo, offset, limit, group: from?.group });
  const search = new Search(views, reader, matcher, sought);
  const wanted = order === 'rank' ? RANKED : Math.max(RANKED, offset + limit + 1);
  const found = await search.find(await searchedShelves(views, reader.userId, filter), wanted, from?.group);
  const inOrder = order === 'rank' ? found.toSorted((a, b) => b.rank - a.rank) : found;
  return pageOf(inOrder, { upTo, offset, limit, group: from?.group });
}

function pageOf(
  found: readonly FoundEvent[],
  { upTo, offset, limit, group }: SearchPlace & { readonly limit: number },
): SearchPage {
  const inGroup = group === undefined ? found : found.filter((one) => isOf(one, group));
  const end = offset + limit;
  const isLast = limit === 0 || inGroup.length <= end;
  return {
    results: inGroup.slice(offset, end),
    count: found.length,
    upTo,
    next: isLast ? undefined : end,
    groupsLeft(one) {
      const before = inGroup.slice(0, end).filter((each) => isOf(each, one)).length;
      return found.filter((each) => isOf(each, one)).length > before ? before : undefined;
    },
  };
}

/** Whether a result belongs to a group. */
export function isOf({ room, row }: FoundEvent, { by, value }: Group): boolean {
  return (by === 'room_id' ? room.roomId : row.header.sender) === value;
}

/** One search: the rooms that matches are in, each opened once. */
class Search {
  readonly #rooms = new Map<RoomId, Promise<RoomReader>>();
  readonly #turn = new Turn(1);

  constructor(
    private readonly views: Views,
    private readonly reader: Reader,
    private readonly matcher: EventMatcher,
    private readonly sought: Sought,
  ) {}

  /** The newest matches that the reader is shown: as many as are wanted, of a group where one is named, or some more. */
  async find(
    shelves: Parameters<typeof matchesIn>[1],
    wanted: number,
    group: Group | undefined,
  ): Promise<readonly FoundEvent[]> {
    const found: FoundEvent[] = [];
    let have = 0;
    let lookedAt = 0;
    let batch: Match[] = [];
    const look = async (): Promise<void> => {
      const shown = await this.#shownOf(batch);
      have += group === undefined ? shown.length : shown.filter((one) => isOf(one, group)).length;
      found.push(...shown);
      batch = [];
      if (this.#turn.isOver()) await this.#turn.pass();
    };
    for await (const match of matchesIn(this.views, shelves, this.sought)) {
      if (batch.push(match) < BATCH) continue;
      lookedAt += batch.length;
      await look();
      if (have >= wanted || lookedAt >= MOST_LOOKED_AT) return found;
    }
    await look();
    return found;
  }

  /** Those of some matches that the reader is shown, in their order. */
  async #shownOf(matches: readonly Match[]): Promise<FoundEvent[]> {
    const byRoom = new Map<RoomId, Match[]>();
    for (const match of matches) byRoom.set(match.roomId, [...(byRoom.get(match.roomId) ?? []), match]);
    const shown = new Map<Match, FoundEvent>();
    for (const [roomId, some] of byRoom) {
      const rows = await readRowsAt(this.views, roomId, some);
      const room = await (await this.#open(roomId)).over(rows.filter((row) => row !== undefined));
      const seen = rows.map((row) => (row !== undefined && isText(row) && room.isShown(row.header) ? row : undefined));
      const whole = new Set(
        await servedWhole(
          room,
          seen.filter((row) => row !== undefined),
        ),
      );
      const edited = seen.filter((row, i) => row !== undefined && whole.has(row) && some[i]!.isEdited);
      const texts = await shownTexts(room, edited as TimelineRow[]);
      for (const [i, row] of seen.entries()) {
        if (row === undefined || !whole.has(row) || !(await passesFilter(this.matcher, room, row))) continue;
        const editedText = texts.get(row);
        const words = editedText === undefined ? some[i]!.words : wordsOf(editedText);
        if (editedText !== undefined && !hasAll(words, this.sought.words)) continue;
        const rank = rankMatch({ ...some[i]!, words }, this.sought.words);
        shown.set(some[i]!, { room, row, editedText, rank });
      }
    }
    return matches.flatMap((match) => shown.get(match) ?? []);
  }

  #open(roomId: RoomId): Promise<RoomReader> {
    let room = this.#rooms.get(roomId);
    if (room === undefined) this.#rooms.set(roomId, (room = findRoomReader(this.views, roomId, this.reader)));
    return room;
  }
}

/** What was redacted since it was found is found no more. */
function isText({ header }: TimelineRow): boolean {
  return header.redactedBy === undefined;
}
