import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Covered, PersonalDataKind, PersonalRecord } from '#personal-data/personal-data';
import { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import { clientEventOf } from '../projections/client-event.js';
import { USER_ROOMS } from '../projections/membership.projector.js';
import { collectionOf } from '../projections/timeline-collections.js';
import { contentOfRow, parseRow, type RowHeader, rowHeaderOf, type TimelineRow } from '../projections/timeline-row.js';
import { nameRoomFor } from './room-names.js';

const PAGE = 500;

/** What somebody wrote in all rooms that they were ever in, whether they still may read these or not: it is theirs. */
export function writtenEvents(views: Views, covers: Covered): PersonalDataKind {
  return {
    name: 'events',
    chapter: 'rooms',
    isCountedAsErased: false,
    title: 'Events that you sent',
    about:
      'Messages and all else that you sent to rooms, as it stands now: what was redacted is redacted, what is encrypted is encrypted.',
    covers,
    async *read(userId) {
      for await (const page of USER_ROOMS.pages(views, { prefix: [userId] })) {
        for (const { key, value } of page) {
          let room: PersonalRecord['room'];
          for await (const row of rowsBy(views, key[1], userId)) {
            room ??= { id: key[1], name: await nameRoomFor(views, userId, key[1], value) };
            yield recordOf(row, room);
          }
        }
      }
    },
  };
}

/** What was fetched from the past first, for that is mostly older; each in the order in which it came. PERF: of what others wrote the header alone is read. */
async function* rowsBy(views: Views, roomId: RoomId, userId: UserId): AsyncGenerator<TimelineRow, void> {
  const turn = new Turn();
  for (const isHistory of [true, false]) {
    for await (const page of collectionOf({ isHistory }).pages(views, { prefix: [roomId] }, PAGE)) {
      for (const { value } of page) {
        if (turn.isOver()) await turn.pass();
        if (rowHeaderOf(value).sender === userId) yield parseRow(value);
      }
    }
  }
}

function recordOf(row: TimelineRow, room: NonNullable<PersonalRecord['room']>): PersonalRecord {
  const { header } = row;
  const event = clientEventOf(row, room.id);
  const unsigned = unsignedOf(header);
  const text = unsigned === undefined ? event : `${event.slice(0, -1)},"unsigned":${JSON.stringify(unsigned)}}`;
  return { data: JSON.parse(text) as JsonObject, text, room, shown: { at: header.sentAt, ...shownOf(row) } };
}

/** What became of it. */
function unsignedOf({ redactedBy, hiddenBy }: RowHeader): JsonObject | undefined {
  if (redactedBy === undefined && hiddenBy === undefined) return undefined;
  return { redacted_by: redactedBy, hidden_by: hiddenBy };
}

/** What people call those that most events are. */
const WORDS: Readonly<Record<string, string>> = {
  'm.room.message': 'Message',
  'm.room.encrypted': 'Encrypted message, which only your devices can read',
  'm.room.member': 'Membership',
  'm.room.redaction': 'Redaction',
  'm.reaction': 'Reaction',
  'm.sticker': 'Sticker',
};

/** As people read it. */
function shownOf(row: TimelineRow): { readonly what: string; readonly text?: string } {
  const { type, redactedBy, membership, stateKey } = row.header;
  const what = Object.hasOwn(WORDS, type) ? WORDS[type]! : type;
  if (redactedBy !== undefined) return { what: `${what}, redacted` };
  if (membership !== undefined) return { what: `${what}: ${membership}`, text: stateKey };
  if (type === 'm.room.encrypted') return { what };
  const content = contentOfRow(row);
  const { body } = content;
  return { what, text: typeof body === 'string' ? body : JSON.stringify(content) };
}
