import { afterAll, beforeAll, expect, it } from 'vitest';
import { Receipts } from '#ephemeral/commands/receipts';
import { Presence } from '#ephemeral/presence/presence';
import { RemotePresence } from '#ephemeral/presence/remote-presence';
import { Typing } from '#ephemeral/typing/typing';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import { SyncApp, type SyncUser } from '#testing/sync-app';
import type { EduHandler } from '../src/edus/edu-handlers.js';
import { PresenceHandler } from '../src/ephemeral/presence-handler.js';
import { ReceiptHandler } from '../src/ephemeral/receipt-handler.js';
import { TypingHandler } from '../src/ephemeral/typing-handler.js';

const B = 'b.example' as ServerName;

let app: SyncApp;
let alice: SyncUser;
let room: RoomId;
let handlers: ReadonlyMap<string, EduHandler>;
beforeAll(async () => {
  app = await SyncApp.start(undefined, { ANNALS_PRESENCE: 'on' });
  alice = await app.register('alice');
  room = (await alice.ok('POST', '/createRoom', {})).room_id;
  const views = app.get(VIEWS as never) as Views;
  const all: EduHandler[] = [
    new TypingHandler(app.get(Typing), views),
    new ReceiptHandler(app.get(Receipts)),
    new PresenceHandler(app.get(Presence), app.get(RemotePresence), views),
  ];
  handlers = new Map(all.map((handler) => [handler.type, handler]));
});
afterAll(() => app.close());

const typing = (userId: unknown, roomId: unknown, types: unknown = true): JsonObject =>
  ({ user_id: userId, room_id: roomId, typing: types }) as JsonObject;
const receipt = (userId: string, eventId: unknown, data: unknown = { ts: 1 }): JsonObject =>
  ({ [room]: { 'm.read': { [userId]: { event_ids: [eventId], data } } } }) as JsonObject;
const presence = (userId: unknown, state: unknown = 'online'): JsonObject =>
  ({ push: [{ user_id: userId, presence: state, last_active_ago: 1 }, 7, null, {}] }) as JsonObject;

it.each<[string, string, () => JsonObject]>([
  ['typing of a user here', 'm.typing', () => typing(alice.userId, room)],
  ['typing of a user of a third server', 'm.typing', () => typing('@c:c.example', room)],
  ['typing of who is not in the room', 'm.typing', () => typing('@b:b.example', room)],
  ['typing of no form', 'm.typing', () => typing(7, [], 'yes')],
  ['a receipt of a user here', 'm.receipt', () => receipt(alice.userId, '$x')],
  ['a receipt of who is not in the room', 'm.receipt', () => receipt('@b:b.example', '$x')],
  ['a receipt of no event', 'm.receipt', () => receipt('@b:b.example', 7)],
  ['a receipt of no thread', 'm.receipt', () => receipt('@b:b.example', '$x', { thread_id: 7 })],
  ['receipts of no form', 'm.receipt', () => ({ [room]: [], x: 1, '!y:b.example': { 'm.read': 'all' } })],
  ['presence of a user here', 'm.presence', () => presence(alice.userId, 'unavailable')],
  ['presence of who is in no room', 'm.presence', () => presence('@b:b.example')],
  ['presence of no form', 'm.presence', () => presence(undefined, 'asleep')],
])('another server that tells %s changes nothing', async (_, type, content) => {
  await app.settled();
  const head = await app.store.head();
  const own = app.get(Presence).find(alice.userId as UserId)?.state;
  await handlers.get(type)!.receive(B, content());
  expect(app.get(Typing).listTyping(room)).toEqual([]);
  expect(app.get(RemotePresence).find('@b:b.example' as UserId)).toBeUndefined();
  expect(app.get(Presence).find(alice.userId as UserId)?.state).toBe(own);
  expect(await app.store.head()).toBe(head);
});
