import { expectOneOf, expectSame } from './assert.js';
import { type Dialect, type Look, type ToldEvent } from './look.js';
import { isLetIn } from './look-at-pages.js';
import { type ModelEvent, type ModelState, stateName } from './room-model.js';

/** GET /state, of all and of one key, /members and /joined_members, by both doors. */
export async function lookAtState(look: Look): Promise<void> {
  const { reader, path } = look;
  const state = reader.visibleState();
  for (const dialect of ['today', 'v1'] as const) {
    const what = `GET ${dialect} /state`;
    const answer = await look.ask(dialect, `${path}/state`);
    if (isLetIn(look, what, answer)) look.checkState(what, answer.body, state, dialect);
  }
  await lookAtKeys(look, state);
  await lookAtMembers(look, state);
  await lookAtJoined(look);
}

async function lookAtKeys(look: Look, state: ModelState): Promise<void> {
  const { reader, path } = look;
  const someone = look.living.users[look.number(look.living.users.length)]!.userId;
  const keys: [string, string][] = [
    ['m.room.topic', ''],
    ['m.room.name', ''],
    ['m.room.member', someone],
  ];
  for (const [type, key] of keys) {
    const dialect: Dialect = look.number(2) === 0 ? 'v1' : 'today';
    const what = `GET ${dialect} /state/${type}/${key}`;
    const answer = await look.ask(dialect, `${path}/state/${type}/${encodeURIComponent(key)}`);
    const event = state.get(stateName(type, key));
    if (reader.door().open === 'no' || event === undefined) look.expectRefused(what, answer);
    else if (reader.door().open === 'yes') look.expectAnswered(what, answer);
    if (answer.status === 200) expectOneOf(what, answer.body, reader.contentsOf(event!));
  }
}

async function lookAtMembers(look: Look, state: ModelState): Promise<void> {
  const { path } = look;
  const members = [...state.values()].filter(({ type }) => type === 'm.room.member');
  const all = await look.ask('v1', `${path}/members`);
  if (isLetIn(look, 'GET v1 /members', all)) {
    look.checkState('GET v1 /members', all.body.chunk, stateOf(members), 'v1');
  }
  const is = ['join', 'leave', 'invite', 'ban', undefined][look.number(5)];
  const isNot = ['join', 'leave', undefined, undefined][look.number(4)];
  const query = [...(is ? [`membership=${is}`] : []), ...(isNot ? [`not_membership=${isNot}`] : [])].join('&');
  const what = `GET /members?${query}`;
  const answer = await look.ask('today', `${path}/members?${query}`);
  if (isLetIn(look, what, answer)) look.checkState(what, answer.body.chunk, stateOf(members.filter(wanted(is, isNot))));
  await lookAtMembersOfOld(look);
}

/** "When specified alongside `membership`, the two parameters create an 'or' condition." */
function wanted(is: string | undefined, isNot: string | undefined): (event: ModelEvent) => boolean {
  if (is === undefined && isNot === undefined) return () => true;
  return ({ content }) =>
    (is !== undefined && content['membership'] === is) || (isNot !== undefined && content['membership'] !== isNot);
}

/** With `at`: the members of that moment, or refused where the reader may not look at it. */
async function lookAtMembersOfOld(look: Look): Promise<void> {
  const { reader, path, living } = look;
  // Tokens are no secret: those that others got are tried too.
  const kept = [...living.world.tokens.values()].flat();
  const token = kept[look.number(kept.length)];
  const length = token?.lengths.get(reader.room.roomId);
  if (token === undefined || length === undefined) return;
  const what = `GET /members?at= of ${length} events`;
  const answer = await look.ask('today', `${path}/members?at=${token.token}`);
  const door = reader.door();
  if (door.open === 'no') return look.expectRefused(what, answer);
  const place = Math.min(length - 1, door.end ?? Infinity);
  const isOpen = reader.mayKnowStateAfter(place) || place === door.end;
  if (isOpen && door.open === 'yes') look.expectAnswered(what, answer);
  if (answer.status !== 200) return;
  const told: ToldEvent[] = answer.body.chunk;
  if (!isOpen) return void told.map((event) => look.checkTold(what, event));
  const members = [...reader.room.stateAfter(place).values()].filter(({ type }) => type === 'm.room.member');
  look.checkState(what, told, stateOf(members));
}

/** Only those who are in the room now may ask who is. */
async function lookAtJoined(look: Look): Promise<void> {
  const { reader, path } = look;
  const answer = await look.ask('today', `${path}/joined_members`);
  const what = 'GET /joined_members';
  if (reader.room.membership(reader.userId) !== 'join') return look.expectRefused(what, answer);
  look.expectAnswered(what, answer);
  const joined = look.living.users.filter(({ userId }) => reader.room.membership(userId) === 'join');
  expectSame(what, Object.keys(answer.body.joined as object).toSorted(), joined.map(({ userId }) => userId).toSorted());
}

function stateOf(events: readonly ModelEvent[]): ModelState {
  return new Map(events.map((event) => [stateName(event.type, event.stateKey!), event]));
}
