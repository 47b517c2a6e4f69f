import type { RoomContents, RoomUpdate } from '../room-update.js';

/** What is told of the lists, extensions and the place to go on from, the same in both shapes; `rooms`: JSON texts by room. */
export function renderAnswer(
  {
    pos,
    counts,
    extensions,
  }: {
    readonly pos: string;
    readonly counts: ReadonlyMap<string, number>;
    readonly extensions: ReadonlyMap<string, string>;
  },
  rooms: readonly string[],
  more: Readonly<Record<string, string | undefined>> = {},
): string {
  const lists = [...counts].map(([name, count]) => `${JSON.stringify(name)}:{"count":${count}}`);
  const told = [...extensions].map(([name, json]) => `"${name}":${json}`);
  const others = fieldsOf(more).map((field) => `,${field}`);
  return `{"pos":"${pos}","lists":{${lists.join()}},"rooms":{${rooms.join()}},"extensions":{${told.join()}}${others.join('')}}`;
}

/** A room and the fields of what is told of it. */
export function renderRoom(
  { roomId }: RoomUpdate,
  fields: Readonly<Record<string, unknown>>,
  lists: Readonly<Record<string, readonly string[] | undefined>>,
): string {
  const events = Object.entries(lists).flatMap(([key, texts]) =>
    texts === undefined ? [] : [`"${key}":[${texts.join()}]`],
  );
  return `${JSON.stringify(roomId)}:{${[...fieldsOf(fields), ...events].join()}}`;
}

/** What both shapes tell of what a room is called and how many are in it. */
export function summaryOf({ heroes, joined, invited }: RoomContents): Readonly<Record<string, unknown>> {
  return { heroes, joined_count: joined, invited_count: invited };
}

function fieldsOf(values: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [`"${key}":${JSON.stringify(value)}`],
  );
}
