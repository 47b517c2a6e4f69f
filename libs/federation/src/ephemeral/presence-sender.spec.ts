import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Presence, PresenceListener } from '#ephemeral/presence/presence';
import type { ShownPresence } from '#ephemeral/presence/shown-presence';
import type { ServerName, UserId } from '#kernel/ids';
import type { Logger } from '#observability/logger';
import type { Edu } from '../sending/edu-source.js';
import type { Outbox } from '../sending/outbox.js';
import type { PresenceAudience } from './presence-audience.js';
import { PresenceSender } from './presence-sender.js';

const [ALICE, STRANGER] = ['@alice:a.example', '@stranger:a.example'] as [UserId, UserId];
const B = 'b.example' as ServerName;
const MINUTE = 60_000;

let elapsed: number;
let state: ShownPresence['state'];
let change: PresenceListener;
let sent: unknown[];
let sender: PresenceSender;

beforeEach(() => {
  vi.useFakeTimers();
  [elapsed, state, sent] = [0, 'online', []];
  const shown = (): ShownPresence => ({
    state,
    word: undefined,
    currentlyActive: true,
    statusMsg: undefined,
    deviceType: undefined,
    lastActiveAgo: 5,
  });
  const presence: Pick<Presence, 'find' | 'get' | 'onChange'> = {
    find: shown,
    get: async () => shown(),
    onChange: (listener) => {
      change = listener;
      return () => true;
    },
  };
  const audience: Pick<PresenceAudience, 'of'> = { of: async (userId) => new Set(userId === ALICE ? [B] : []) };
  const outbox: Pick<Outbox, 'sendEdu'> = {
    sendEdu: (server, { content }: Edu) => void sent.push([server, content['push']]),
  };
  sender = new PresenceSender(
    presence as Presence,
    audience as PresenceAudience,
    outbox as Outbox,
    { serverName: 'a.example' as ServerName, presenceElsewhere: true },
    { elapsed: () => elapsed },
    {} as Logger,
  );
  sender.onModuleInit();
});
afterEach(() => {
  sender.onModuleDestroy();
  vi.useRealTimers();
});

const pass = async (ms: number): Promise<void> => {
  elapsed += ms;
  await vi.advanceTimersByTimeAsync(ms);
};
const tells = (): Promise<unknown[]> => pass(1_000).then(() => sent.splice(0));

it('tells of who is there again before others stop believing it, and of who is not no more', async () => {
  change(ALICE, { ofOthers: true, wakes: true });
  const online = [B, [{ user_id: ALICE, presence: 'online', last_active_ago: 5, currently_active: true }]];
  expect(await tells()).toEqual([online]);
  await pass(24 * MINUTE);
  expect(sent).toEqual([]);
  await pass(2 * MINUTE);
  expect(sent.splice(0)).toEqual([online]);
  state = 'offline';
  change(ALICE, { ofOthers: true, wakes: true });
  expect(await tells()).toHaveLength(1);
  await pass(60 * MINUTE);
  expect(sent).toEqual([]);
});

it('answers a server that asks of whom it may hear, and of nobody else', async () => {
  state = 'busy';
  await sender.answer(B, [ALICE, STRANGER, '@bob:b.example' as UserId]);
  expect(sent).toEqual([
    [B, [{ user_id: ALICE, presence: 'unavailable', 'dev.annals.state': 'busy', last_active_ago: 5 }]],
  ]);
});
