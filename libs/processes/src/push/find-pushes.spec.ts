import { beforeEach, describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { SILENCE } from '#protocol/push-rules/evaluate-rules';
import type { CompiledRules } from '#push/compiled-rules';
import type { PusherSet } from '#push/facts/pusher-facts';
import { PUSHERS } from '#push/projections/pushers.projector';
import { roomStream } from '#rooms/facts/room-facts';
import { timelineRowOf } from '#rooms/projections/make-row';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { turnsOf } from '#testing/turns-of';
import type { Badges } from '#sync/unread/badges';
import { type EvaluateEvent, LATER, type VerdictFor } from './evaluate-event.js';
import { FindPushes, type PushDue } from './find-pushes.js';
import type { PushLanes } from './push-lanes.js';
import type { PushedUsers } from './pushed-users.js';

const ROOM = '!r:x' as RoomId;
const USERS = Array.from({ length: 80 }, (_, i) => `@user${i}:x` as UserId);
const position = positionOf(1);

/** Whose pushers were read. */
let asked: unknown[];
/** Whose gateways know a number. */
let told: ReadonlySet<UserId>;
/** What rules say, by user. */
let verdicts: Map<UserId, VerdictFor | typeof LATER>;
/** Of whom rules were asked that take a while. */
let askedLater: UserId[];
let store: MemoryReadModels;
let find: FindPushes;

beforeEach(async () => {
  [asked, told, askedLater] = [[], new Set(), []];
  store = new MemoryReadModels();
  const pdu = { type: 'm.room.message', sender: '@bob:x', origin_server_ts: 0, depth: 0, content: {} };
  const value = timelineRowOf({
    event_id: '$1' as EventId,
    position,
    pdu,
    visibility: 'shared',
    room_version: '12',
    lenient: false,
  });
  await store.write([{ collection: TIMELINE.name, key: [ROOM, position], value }]);
  const scan = store.scan.bind(store);
  store.scan = (collection, options) => {
    if (collection === PUSHERS.name) asked.push(options.prefix?.[0]);
    return scan(collection, options);
  };
  const users = { in: async () => USERS, has: () => false as boolean } as unknown as PushedUsers;
  verdicts = new Map(USERS.map((userId) => [userId, () => SILENCE]));
  const evaluateFor = async (userId: UserId): Promise<VerdictFor> => {
    askedLater.push(userId);
    return () => ({ ...SILENCE, notify: true });
  };
  const evaluation = { evaluate: async () => verdicts, evaluateFor } as unknown as EvaluateEvent;
  const lanes = { isNumberKnownOf: (userId: UserId) => told.has(userId) } as PushLanes;
  find = new FindPushes(users, evaluation, {} as CompiledRules, lanes, {} as Badges, store as unknown as Views);
});

const heard = (type: string, says: object = {}): Promise<PushDue[]> => {
  const data = `${JSON.stringify({ event_id: '$1', ...says }).slice(0, -1)},"pdu":{}}`;
  return find.of({ type, stream: roomStream(ROOM), position, data } as RecordedFact);
};

describe('what follows for gateways', () => {
  it('by rules that take a while is known once it is the turn of their user: nobody else waits for these', async () => {
    const heavy = USERS[3]!;
    const [app_id, pushkey] = ['app', 'key'];
    const pusher = { app_id, pushkey, kind: 'http', enabled: true, data: { url: 'https://gateway.example' } };
    const value = JSON.stringify(pusher);
    await store.write([{ collection: PUSHERS.name, key: [heavy, app_id, pushkey], value }]);
    verdicts.set(heavy, LATER);
    const due = await heard('pdu-accepted');
    expect([due.map(({ userId }) => userId), askedLater]).toEqual([[heavy], []]);
    expect(await due[0]!.event!.askRules!()).toBe(true);
    expect([askedLater, due[0]!.event!.tweaksFor(pusher as unknown as PusherSet)]).toEqual([[heavy], SILENCE.tweaks]);
  });

  it('from a redaction is looked up of those alone whose gateways were told a number', async () => {
    told = new Set([USERS[7]!]);
    await heard('pdu-redacted');
    expect(asked).toEqual([USERS[7]]);
  });

  it('from a message that hides others is their number besides, for it may be another one', async () => {
    told = new Set([USERS[7]!]);
    await heard('pdu-accepted', { moderates: true });
    expect(asked).toEqual([...USERS, USERS[7]]);
  });

  it.each(['pdu-accepted', 'pdu-redacted'])(
    'from %s in a room of many lets everything else have its turn',
    async (type) => {
      told = new Set(USERS);
      expect(await turnsOf(() => heard(type))).toBeGreaterThan(3);
      expect(asked).toEqual(USERS);
    },
  );
});
