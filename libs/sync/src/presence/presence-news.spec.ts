import { expect, it } from 'vitest';
import type { Presence, PresenceListener } from '#ephemeral/presence/presence';
import type { ShownPresence } from '#ephemeral/presence/shown-presence';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import type { Reader } from '#rooms/reading/reader';
import type { ActiveUsers } from '../notifier/active-users.js';
import { ChangeLog } from './change-log.js';
import type { PresenceChanges } from './presence-changes.js';
import { PresenceNews } from './presence-news.js';

const [alice, bob] = ['@alice:x' as UserId, '@bob:x' as UserId];

it('what others are told of somebody is written once for all of them, until it changes or a second has passed', () => {
  let elapsed = 0;
  let change: PresenceListener;
  const shown = new Map<UserId, ShownPresence>();
  const set = (userId: UserId, state: ShownPresence['state'], lastActiveAgo: number): void =>
    void shown.set(userId, {
      state,
      currentlyActive: true,
      word: undefined,
      deviceType: undefined,
      statusMsg: state === 'hidden' ? 'hiding' : undefined,
      lastActiveAgo,
    });
  const presence: Pick<Presence, 'find' | 'onChange'> = {
    find: (userId) => shown.get(userId),
    onChange: (listener) => {
      change = listener;
      return () => true;
    },
  };
  const news = new PresenceNews(presence as Presence, {} as PresenceChanges, {} as ActiveUsers, {} as Views, { elapsed: () => elapsed }); // prettier-ignore
  const contents = (userId: UserId): object[] =>
    news
      .render({ userId, ignored: new Set<UserId>() } as Partial<Reader> as Reader, new Set([alice, bob]))
      .map((text) => (JSON.parse(text) as { content: object }).content);
  const online = (ago: number): object => ({ presence: 'online', last_active_ago: ago, currently_active: true });
  const offline = (ago: number): object => ({ presence: 'offline', last_active_ago: ago });

  set(alice, 'hidden', 10);
  set(bob, 'online', 20);
  expect(contents(bob)).toEqual([offline(10), online(20)]);
  set(bob, 'online', 30);
  // What users are told of themselves is theirs alone, and who hides is shown so to nobody else.
  expect(contents(alice)).toEqual([{ ...offline(10), status_msg: 'hiding', 'dev.annals.state': 'hidden' }, online(30)]);
  set(bob, 'online', 40);
  expect(contents(alice).at(1)).toEqual(online(30));
  set(bob, 'offline', 50);
  change!(bob, { ofOthers: true, wakes: true });
  expect(contents(alice).at(1)).toEqual(offline(50));
  set(bob, 'offline', 60);
  elapsed = 1_000;
  expect(contents(alice).at(1)).toEqual(offline(60));
});

it('those who are there come in the order of their ids, whatever order they came, or were read again, in', () => {
  const carol = '@carol:x' as UserId;
  const presentWhere = (...came: UserId[]): UserId[] => {
    const log = new ChangeLog();
    for (const [i, userId] of came.entries()) log.note(userId, i + 1);
    const presence: Pick<Presence, 'isOn' | 'find' | 'onChange'> = {
      isOn: true,
      find: () => ({ state: 'online' }) as ShownPresence,
      onChange: () => () => true,
    };
    const changes: Pick<PresenceChanges, 'inRoom' | 'onList'> = { inRoom: () => log, onList: () => undefined };
    const news = new PresenceNews(presence as Presence, changes as PresenceChanges, {} as ActiveUsers, {} as Views, { elapsed: () => 0 }); // prettier-ignore
    const known = { membership: 'join', position: '1' as Position, forgotten: false };
    return [...news.present({ userId: bob, rooms: new Map([['!r:x' as RoomId, known]]) })];
  };
  const inOrder = [alice, bob, carol];
  expect(presentWhere(alice, carol)).toEqual(inOrder);
  expect(presentWhere(carol, bob, alice)).toEqual(inOrder);
});
