import type { LogHistory } from '#event-store/log-history';
import type { RoomId, UserId } from '#kernel/ids';
import { inTurns, Turn } from '#projections/turn';
import type { EventForm } from '#rooms/queries/render-event';
import { renderEvents } from '#rooms/queries/render-event';
import { highlightsOf } from '../words/highlights-of.js';
import { soughtWordsOf } from '../words/words-of.js';
import type { FoundEvent } from './found-events.js';
import type { GroupKey, SearchRequest } from './parse-search.js';
import { renderContext } from './render-context.js';
import { renderStateOf } from './render-state.js';
import { MOST_WORDS } from './search-events.js';
import type { SearchPage } from './search-page.js';
import type { SearchPlace } from './search-token.js';
import { textOfRow } from './shown-texts.js';

/** How results are written. */
export interface Writing {
  readonly form: EventForm;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** By which places of rooms are told. */
  readonly history: LogHistory;
  /** `next_batch` of where a page ended. */
  readonly tokenOf: (place: SearchPlace) => string;
}

/** An answer of so many characters has no more results, and one with so many of state none of another room: the next page has them. */
const MOST_OF_RESULTS = 4_000_000;
const MOST_OF_STATE = 16_000_000;
/** So many results are written at once. */
const AT_ONCE = 8;

/** What was found as a client gets it, `room_events` of `search_categories`. JSON text. */
export async function renderSearch(page: SearchPage, request: SearchRequest, writing: Writing): Promise<string> {
  const { texts, state } = await renderResults(page.results, request, writing);
  const told = page.results.slice(0, texts.length);
  const shown = told.map(({ row, editedText }) => editedText ?? textOfRow(row));
  const sought = soughtWordsOf(request.term).slice(0, MOST_WORDS);
  const highlights = told.length === 0 ? [] : await inTurns(highlightsOf(request.term, sought, shown));
  const next = page.next(told.length);
  const parts = [
    `"count":${page.count}`,
    `"highlights":${JSON.stringify(highlights)}`,
    `"results":[${texts.join()}]`,
    `"state":${stateOf(state)}`,
  ];
  if (request.groupBy.length > 0)
    parts.push(`"groups":${JSON.stringify(groupsOf(page, told, request.groupBy, writing))}`);
  if (next !== undefined) parts.push(`"next_batch":"${writing.tokenOf(next)}"`);
  return `{${parts.join()}}`;
}

/** The results, and the state of their rooms where it is asked for: as many as an answer holds, and one at least. */
async function renderResults(
  results: readonly FoundEvent[],
  { context: wish, withState, filter }: SearchRequest,
  writing: Writing,
): Promise<{ readonly texts: readonly string[]; readonly state: RoomStates }> {
  const texts: string[] = [];
  const state = new Map<RoomId, string | undefined>();
  const turn = new Turn(1);
  let [ofResults, ofState] = [0, 0];
  for (let i = 0; i < results.length; i += AT_ONCE) {
    const some = results.slice(i, i + AT_ONCE);
    const events = await renderEach(some, writing);
    for (const [n, found] of some.entries()) {
      if (turn.isOver()) await turn.pass();
      if (ofResults >= MOST_OF_RESULTS) return { texts, state };
      const { roomId } = found.room;
      if (withState && !state.has(roomId)) {
        const members = filter.lazy_load_members === true ? sendersIn(roomId, results) : undefined;
        const text = await renderStateOf(found.room, writing, members);
        ofState += text?.length ?? 0;
        if (state.size > 0 && ofState > MOST_OF_STATE) return { texts, state };
        state.set(roomId, text);
      }
      const context = wish === undefined ? '' : `,"context":${await renderContext(found, wish, writing)}`;
      const text = `{"rank":${found.rank},"result":${events[n]}${context}}`;
      ofResults += text.length;
      texts.push(text);
    }
  }
  return { texts, state };
}

/** Who sent what was found in a room: of its members a client that loads them lazily is told these. */
function sendersIn(roomId: RoomId, results: readonly FoundEvent[]): readonly UserId[] {
  return [...new Set(results.flatMap(({ room, row }) => (room.roomId === roomId ? row.header.sender : [])))];
}

/** Each result, those of one room together. */
async function renderEach(results: readonly FoundEvent[], { form, now }: Writing): Promise<string[]> {
  const texts: string[] = Array.from({ length: results.length });
  const places = new Map<RoomId, number[]>();
  for (const [i, { room }] of results.entries()) places.set(room.roomId, [...(places.get(room.roomId) ?? []), i]);
  for (const some of places.values()) {
    const { room } = results[some[0]!]!;
    const rows = some.map((i) => results[i]!.row);
    const rendered = await renderEvents(rows, { room, now, bundled: {} }, form);
    for (const [n, i] of some.entries()) texts[i] = rendered[n]!;
  }
  return texts;
}

/** The state of rooms; undefined of those that the reader sees events of alone. */
type RoomStates = ReadonlyMap<RoomId, string | undefined>;

function stateOf(state: RoomStates): string {
  const parts = [...state].flatMap(([roomId, text]) => (text === undefined ? [] : `${JSON.stringify(roomId)}:${text}`));
  return `{${parts.join()}}`;
}

interface GroupAnswer {
  readonly order: number;
  readonly results: string[];
  readonly next_batch?: string;
}

/** The groups of what is told of a page, by the key and the value, in the order of their first results. */
function groupsOf(
  page: SearchPage,
  told: readonly FoundEvent[],
  keys: readonly GroupKey[],
  { tokenOf }: Writing,
): Record<string, Record<string, GroupAnswer>> {
  const more = (next: SearchPlace | undefined): { readonly next_batch?: string } => {
    return next === undefined ? {} : { next_batch: tokenOf(next) };
  };
  return Object.fromEntries(
    keys.map((by) => {
      const groups = new Map<string, string[]>();
      for (const { room, row } of told) {
        const value = by === 'room_id' ? room.roomId : row.header.sender;
        groups.set(value, [...(groups.get(value) ?? []), row.header.eventId]);
      }
      const answers = [...groups].map(([value, results], i): [string, GroupAnswer] => {
        return [value, { order: i + 1, results, ...more(page.nextOf({ by, value }, told.length)) }];
      });
      return [by, Object.fromEntries(answers)];
    }),
  );
}
