import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PresenceLists } from '#ephemeral/lists/presence-lists';
import { Subscribers } from '#ephemeral/lists/subscribers';
import { Receipts } from '#ephemeral/commands/receipts';
import { Presence } from '#ephemeral/presence/presence';
import { RemotePresence } from '#ephemeral/presence/remote-presence';
import { Typing } from '#ephemeral/typing/typing';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import { JsonNumber, type JsonObject } from '#kernel/json';
import { createLogger } from '#observability/logger';
import { VIEWS, type Views } from '#projections/views';
import { SyncApp, type SyncUser } from '#testing/sync-app';
import { turnsOf } from '#testing/turns-of';
import { TakeEdus } from '../src/edus/take-edus.js';
import { ServerAcls } from '#rooms/queries/server-acls';
import { PresenceAcceptHandler, PresenceDenyHandler, PresenceDropHandler, PresenceInviteHandler, TellPresenceLists } from '../src/ephemeral/presence-list-handlers.js'; // prettier-ignore
import type { PresenceSender } from '../src/ephemeral/presence-sender.js';
import type { Edu } from '../src/sending/edu-source.js';
import type { Outbox } from '../src/sending/outbox.js';
import { PresenceHandler } from '../src/ephemeral/presence-handler.js';
import { ReceiptHandler } from '../src/ephemeral/receipt-handler.js';
import { TypingHandler } from '../src/ephemeral/typing-handler.js';

const B = 'b.example' as ServerName;

let app: SyncApp;
let alice: SyncUser;
let room: RoomId;
let edus: TakeEdus;
let sent: Edu[];
let polled: unknown[];
beforeAll(async () => {
  app = await SyncApp.start(undefined, { ANNALS_PRESENCE: 'on' });
  alice = await app.register('alice');
  room = (await alice.ok('POST', '/createRoom', {})).room_id;
  const views = app.get(VIEWS as never) as Views;
  [sent, polled] = [[], []];
  const outbox: Pick<Outbox, 'sendEdu'> = { sendEdu: (_, edu) => void sent.push(edu) };
  const config = { serverName: 'a.example' as ServerName };
  const lists = new TellPresenceLists(app.get(PresenceLists), outbox as Outbox, config);
  const sender: Pick<PresenceSender, 'answer'> = { answer: async (_, users) => void polled.push(...users) };
  const [remote, subscribers] = [app.get(RemotePresence), app.get(Subscribers)];
  const all = [
    new PresenceInviteHandler(lists),
    new PresenceAcceptHandler(lists),
    new PresenceDenyHandler(lists),
    new PresenceDropHandler(lists),
    new TypingHandler(app.get(Typing), views),
    new ReceiptHandler(app.get(Receipts)),
    new PresenceHandler(remote, subscribers, sender as PresenceSender, views, { presenceElsewhere: true }),
  ];
  edus = new TakeEdus(all, new ServerAcls(views), { note: () => {} }, await createLogger('silent'));
});
afterAll(() => app.close());

const typing = (userId: unknown, roomId: unknown, types: unknown = true): JsonObject =>
  ({ user_id: userId, room_id: roomId, typing: types }) as JsonObject;
const receipt = (userId: string, eventId: unknown, data: unknown = { ts: 1 }): JsonObject =>
  ({ [room]: { 'm.read': { [userId]: { event_ids: [eventId], data } } } }) as JsonObject;
const between = (observed: unknown, observer: unknown): JsonObject =>
  ({ observed_user: observed, observer_user: observer }) as JsonObject;
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
  ['an invitation of a user of a third server', 'm.presence_invite', () => between(alice.userId, '@c:c.example')],
  ['an invitation of a user here', 'm.presence_invite', () => between('@b:b.example', alice.userId)],
  ['an invitation of no form', 'm.presence_invite', () => between(alice.userId, 7)],
  ['that somebody accepts who was not asked', 'm.presence_accept', () => between('@b:b.example', alice.userId)],
  ['that a user here accepts', 'm.presence_accept', () => between(alice.userId, '@b:b.example')],
  ['that somebody refuses who was not asked', 'm.presence_deny', () => between('@b:b.example', alice.userId)],
  ['that somebody is dropped who did not see', 'dev.annals.presence_drop', () => between(alice.userId, '@b:b.example')],
  ['presence of no form', 'm.presence', () => presence(undefined, 'asleep')],
])('another server that tells %s changes nothing', async (_, type, content) => {
  await app.settled();
  const head = await app.store.head();
  const own = app.get(Presence).find(alice.userId as UserId)?.state;
  await edus.take(B, [{ edu_type: type, content: content() }], '1');
  expect(app.get(Typing).listTyping(room)).toEqual([]);
  expect(app.get(RemotePresence).find('@b:b.example' as UserId)).toBeUndefined();
  expect(app.get(Presence).find(alice.userId as UserId)?.state).toBe(own);
  expect(await app.store.head()).toBe(head);
});

describe('presence lists across servers', () => {
  const BOB = '@bob:b.example' as UserId;
  const take = (type: string, content: JsonObject) => edus.take(B, [{ edu_type: type, content }], '1');
  const lists = async () => {
    const { body } = await alice.call('GET', `/_matrix/client/unstable/dev.annals.presence_list/${alice.userId}`);
    return [body.list, body.watchers];
  };

  it('are asked for, and end, as the other server tells; a telling that comes again changes nothing', async () => {
    await take('m.presence_invite', between(alice.userId, BOB));
    const head = await app.store.head();
    await take('m.presence_invite', between(alice.userId, BOB));
    expect(await app.store.head()).toBe(head);
    expect(await lists()).toEqual([[], [{ user_id: BOB, accepted: false }]]);
    await take('dev.annals.presence_drop', between(alice.userId, BOB));
    expect(await lists()).toEqual([[], []]);
  });

  it('have no more than a hundred of one server who wait: the next are told no, and nothing is written of them', async () => {
    const carol = await app.register('carol');
    const asks = (n: number) => take('m.presence_invite', between(carol.userId, `@made-up${n}:b.example`));
    for (let n = 0; n < 100; n++) await asks(n);
    const head = await app.store.head();
    sent.splice(0);
    await asks(100);
    await asks(0);
    expect(sent.splice(0)).toEqual([
      { edu_type: 'm.presence_deny', content: between(carol.userId, '@made-up100:b.example') },
    ]);
    expect(await app.store.head()).toBe(head);
  });

  it('have who was asked once their server says so, and their presence though they share no room', async () => {
    await alice.v1('POST', '/presence/list', { invite: [BOB] });
    await take('m.presence', presence(BOB));
    expect(app.get(RemotePresence).find(BOB)).toBeUndefined();
    await take('m.presence_accept', between(BOB, alice.userId));
    await take('m.presence', presence(BOB));
    expect((await lists())[0]).toMatchObject([{ user_id: BOB, accepted: true, presence: 'online' }]);
    await take('m.presence_deny', between(BOB, alice.userId));
    expect(await lists()).toEqual([[], []]);
    expect((await alice.call('GET', `/presence/${BOB}/status`)).status).toBe(403);
  });

  const asking = (ask: unknown): JsonObject => ({ ...between(alice.userId, BOB), 'dev.annals.ask': ask }) as JsonObject;
  const invite = (ask: unknown) => ({ edu_type: 'm.presence_invite', content: asking(ask) });
  const drop = (ask: unknown) => ({ edu_type: 'dev.annals.presence_drop', content: asking(ask) });
  const answer = (body: object) => alice.v1('POST', '/presence/list', body);

  it('have who was let in though the transaction in which they asked, dropped it and asked again comes once more', async () => {
    const all = [invite(1), drop(1), invite(2)];
    await edus.take(B, all, '1');
    expect((await answer({ accept: [BOB] })).status).toBe(200);
    await edus.take(B, all, '1');
    expect(await lists()).toEqual([[], [{ user_id: BOB, accepted: true }]]);
    await edus.take(B, [drop(1)], '1');
    expect(await lists()).toEqual([[], [{ user_id: BOB, accepted: true }]]);
    await edus.take(B, [drop(3)], '2');
    expect(await lists()).toEqual([[], []]);
  });

  it('have whom somebody ignores no more once they ask anew, and take what is no number of an asking for none', async () => {
    await edus.take(B, [invite(4)], '1');
    await answer({ accept: [BOB] });
    const ignored = (users: object) => alice.ok('PUT', `/user/${alice.userId}/account_data/m.ignored_user_list`, { ignored_users: users }); // prettier-ignore
    await ignored({ [BOB]: {} });
    await app.settled();
    await edus.take(B, [invite(4)], '1');
    expect(await lists()).toEqual([[], [{ user_id: BOB, accepted: true }]]);
    await edus.take(B, [invite(5)], '2');
    expect(await lists()).toEqual([[], []]);
    await ignored({});
    await app.settled();
    await edus.take(B, [invite(6), drop('5')], '3');
    expect(await lists()).toEqual([[], []]);
    await edus.take(B, [invite(7), invite(0.5), drop(6)], '4');
    expect(await lists()).toEqual([[], []]);
  });

  it('are refused at once by who is not there, as by who does not want it', async () => {
    await take('m.presence_invite', between('@nobody:a.example', BOB));
    expect(sent.splice(0)).toEqual([{ edu_type: 'm.presence_deny', content: between('@nobody:a.example', BOB) }]);
  });

  it('let another server ask for whom it wants to hear of', async () => {
    await take('m.presence', { poll: [alice.userId, alice.userId, 7, 'nobody'], unpoll: [alice.userId] });
    expect(polled.splice(0)).toEqual([alice.userId]);
  });
});

describe('many EDUs of one transaction', () => {
  const A = 'a.example' as ServerName;
  const take = (type: string, contents: readonly JsonObject[]) =>
    edus.take(
      A,
      contents.map((content) => ({ edu_type: type, content })),
      '1',
    );

  it('that tell of receipts set the last of each user in each thread, and no other', async () => {
    const send = (n: number) => alice.send(room, `${n}`);
    const [first, second, last] = [await send(1), await send(2), await send(3)];
    await app.settled();
    const before = (await app.factsOf(`marks-${alice.userId}`)).length;
    await take('m.receipt', [
      receipt(alice.userId, first),
      receipt(alice.userId, second, { ts: 1, thread_id: 'main' }),
      receipt(alice.userId, second),
      receipt(alice.userId, '$unknown', { ts: 1, thread_id: '$unknown' }),
      receipt(alice.userId, last),
    ]);
    const facts = (await app.factsOf(`marks-${alice.userId}`)).slice(before).map(({ data }) => JSON.parse(data));
    expect(facts).toHaveLength(2);
    expect(facts).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ event_id: last }),
        expect.objectContaining({ event_id: second, thread_id: 'main' }),
      ]),
    );
  });

  it('that tell of presence show the last of each user', async () => {
    const changes: UserId[] = [];
    const stop = app.get(RemotePresence).onChange((userId) => void changes.push(userId));
    await take('m.presence', [presence(alice.userId, 'unavailable'), presence(alice.userId, 'online')]);
    stop();
    expect(app.get(RemotePresence).find(alice.userId as UserId)?.state).toBe('online');
    expect(changes).toEqual([alice.userId]);
  });

  it('let everything else have its turn, however many users they tell of', async () => {
    const users = Array.from({ length: 2_000 }, (_, i) => `@u${i}:a.example`);
    const push = users.map((user) => ({ user_id: user, presence: 'online' }));
    expect(await turnsOf(() => take('m.presence', [{ push }]))).toBeGreaterThan(200);
    const read = Object.fromEntries(users.map((user) => [user, { event_ids: ['$x'], data: {} }]));
    expect(await turnsOf(() => take('m.receipt', [{ [room]: { 'm.read': read } }]))).toBeGreaterThan(100);
  });

  it('that tell presence in no numbers and texts of a client are shown without: half a character, half a millisecond', async () => {
    const told = { user_id: alice.userId, presence: 'online' };
    const show = async (more: JsonObject) => {
      await take('m.presence', [{ push: [{ ...told, ...more }] }]);
      return app.get(RemotePresence).find(alice.userId as UserId);
    };
    for (const ago of [0.5, 1e300, -1, new JsonNumber('9007199254740993'), '5'])
      expect((await show({ last_active_ago: ago }))?.lastActiveAgo).toBeUndefined();
    const shown = await show({ status_msg: `${'a'.repeat(511)}😀` });
    expect(shown?.statusMsg).toBe(`${'a'.repeat(511)}\ufffd`);
  });
});
