import type { EventMatcher } from '#accounts/filters/event-matcher';
import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { passesFilter } from '#rooms/queries/event-filter';
import { readRowsAt } from '#rooms/reading/event-rows';
import type { Reader } from '#rooms/reading/reader';
import { findRoomReader, type RoomReader } from '#rooms/reading/room-reader';
import { servedWhole } from '#rooms/reading/withhold';
import { isBehind, type TextKey } from '../projections/text-order.js';
import { hasAll, type SoughtWord, wordsOf } from '../words/words-of.js';
import type { Matches } from './match-texts.js';
import { rankMatch } from './rank-match.js';
import type { Match } from './shelf-search.js';
import type { SearchEffort } from './search-effort.js';
import type { Group, RankedKey } from './search-token.js';
import { shownTexts } from './shown-texts.js';

/** An event that was found. */
export interface FoundEvent extends RankedKey {
  readonly room: RoomReader;
  readonly row: TimelineRow;
  /** Its text as the reader is shown it, where it was edited. */
  readonly editedText: string | undefined;
}

/** What the events must be. */
interface Wanted {
  readonly matcher: EventMatcher;
  readonly words: readonly SoughtWord[];
  readonly group: Group | undefined;
}

/** How many matches are looked up at once. */
const BATCH = 32;

/** Whether a result belongs to a group. */
export function isOf({ room, row }: Pick<FoundEvent, 'room' | 'row'>, { by, value }: Group): boolean {
  return (by === 'room_id' ? room.roomId : row.header.sender) === value;
}

/** The events of matches that the reader is shown: the rooms that they are in are opened once each. */
export class FoundEvents {
  readonly #rooms = new Map<RoomId, Promise<RoomReader>>();

  constructor(
    private readonly views: Views,
    private readonly reader: Reader,
    private readonly wanted: Wanted,
    private readonly effort: SearchEffort,
  ) {}

  /**
   * The next ones: so many, up to a place where one is named, or fewer where the effort is spent. Never some more: how many came with them
   * would tell how many matches stand between them that the reader is not shown.
   */
  async collect(matches: Matches, count: number, until: TextKey | undefined): Promise<readonly FoundEvent[]> {
    const found: FoundEvent[] = [];
    let batch: Match[] = [];
    for (;;) {
      const match = await matches.next();
      const isEnd = match === undefined || (until !== undefined && isBehind(match, until));
      if (!isEnd) batch.push(match);
      if (isEnd || batch.length >= BATCH) {
        found.push(...(await this.#shownOf(batch)));
        if (isEnd || found.length >= count) return found.slice(0, count);
        batch = [];
      }
    }
  }

  /** Those of some matches that the reader is shown, in their order. */
  async #shownOf(matches: readonly Match[]): Promise<FoundEvent[]> {
    const byRoom = new Map<RoomId, Match[]>();
    for (const match of matches) byRoom.set(match.roomId, [...(byRoom.get(match.roomId) ?? []), match]);
    const shown = new Map<Match, FoundEvent>();
    for (const [roomId, some] of byRoom) {
      for (const [match, found] of await this.#shownIn(roomId, some)) shown.set(match, found);
      await this.effort.spendOnEvents(some.filter(({ isPaid }) => !isPaid).length);
    }
    return matches.flatMap((match) => shown.get(match) ?? []);
  }

  async #shownIn(roomId: RoomId, matches: readonly Match[]): Promise<(readonly [Match, FoundEvent])[]> {
    const { group, matcher } = this.wanted;
    const rows = await readRowsAt(this.views, roomId, matches);
    const room = await (await this.#open(roomId)).over(rows.filter((row) => row !== undefined));
    const seen = matches.flatMap((match, i) => {
      const row = rows[i];
      const isSeen = row !== undefined && isText(row) && room.isShown(row.header);
      return isSeen && (group === undefined || isOf({ room, row }, group)) ? [{ match, row }] : [];
    });
    const whole = new Set(
      await servedWhole(
        room,
        seen.map(({ row }) => row),
      ),
    );
    const edited = seen.filter(({ match, row }) => match.isEdited && whole.has(row));
    const texts = await shownTexts(
      room,
      edited.map(({ row }) => row),
    );
    const found: (readonly [Match, FoundEvent])[] = [];
    for (const { match, row } of seen) {
      await this.effort.spend(0);
      if (!whole.has(row) || !(await passesFilter(matcher, room, row))) continue;
      const one = this.#foundAt(match, { room, row, editedText: texts.get(row) });
      if (one !== undefined) found.push([match, one]);
    }
    return found;
  }

  #foundAt(match: Match, event: Pick<FoundEvent, 'room' | 'row' | 'editedText'>): FoundEvent | undefined {
    const { words: sought } = this.wanted;
    const { editedText } = event;
    const words = editedText === undefined ? match.words : wordsOf(editedText);
    if (editedText !== undefined && !hasAll(words, sought)) return undefined;
    const { time, isHistory, position, carriedAs } = match;
    const key = { time, isHistory, position, ...(carriedAs === undefined ? {} : { carriedAs }) };
    return { ...event, key, rank: rankMatch({ ...match, words }, sought) };
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
