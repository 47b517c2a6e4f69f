import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { signEvent } from '#protocol/signing/sign-event';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { makeOn } from '#testing/receiving/make-on';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { pduTextOf } from '../facts/fact-text.js';
import { contentOfRow } from '../projections/timeline-row.js';
import { getEvent } from '../queries/get-event.js';
import type { Arrival } from '../receive/judge-pdu.js';
import type { ServerKeys } from '../server-keys.js';
import { ReceiveOutliers } from './receive-outliers.js';
import { ReceivePdus } from './receive-pdus.js';
import type { Receipt } from './receiving.js';

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
/** It passes on what others made. */
const RELAY = 'c.example' as ServerName;
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER);
const reader = { userId: ALICE, ignored: new Set<UserId>() };

let home: RoomCommands;
let roomId: RoomId;
/** The room as the other server has it. */
let there: RoomElsewhere;
let join: ForeignPdu;
let hello: ForeignPdu;

beforeEach(async () => {
  home = new RoomCommands(new RoomViews(new MemoryEventStore()), TEST_AUTHOR, KEYS);
  await openIn('11');
  join = await there.makes({
    type: 'm.room.member',
    stateKey: BOB,
    content: { membership: 'join', displayname: 'Bob' },
  });
  hello = await there.makes({ type: 'm.room.message', content: { body: 'hello' } });
});

async function openIn(version: string): Promise<void> {
  roomId = await home.open({ room_version: version });
  there = new RoomElsewhere(roomId, findRoomVersion(version)!, KEYS, OTHER);
  await there.hear(home);
}

/** A copy of an event with another content. */
function altered({ event: { pdu } }: ForeignPdu, content: JsonObject = {}): string {
  return canonicalJson({ ...pdu, content });
}

async function receive(origin: ServerName, texts: readonly string[], arrival?: Arrival): Promise<Receipt> {
  return home.execute(new ReceivePdus(origin, roomId, texts, arrival));
}

/** What a reader gets of an event. */
async function contentOf({ event: { eventId } }: ForeignPdu): Promise<unknown> {
  await home.views.follow();
  return contentOfRow((await getEvent(home.views, roomId, eventId, reader)).row);
}

const problems = (): string[] => home.problems(roomId);

describe('an event in a copy with another content than was signed', () => {
  it.each([{ isHistory: false }, { isHistory: true }])(
    'is not kept, and is wanted whole, so that it is there as it was made once that comes: %o',
    async (arrival) => {
      await receive(OTHER.name, [join.text]);
      const { eventId } = hello.event;
      for (const content of [{}, { body: 'forged' }]) {
        const { received } = await receive(RELAY, [altered(hello, content)], arrival);
        expect(received).toMatchObject([{ kind: 'dropped', wantedWhole: eventId }]);
      }
      expect((await receive(RELAY, [hello.text], arrival)).received).toMatchObject([{ kind: 'accepted' }]);
      expect(await contentOf(hello)).toEqual({ body: 'hello' });
    },
  );

  it('is what is left of it where the server of its sender says so, and where nobody has more', async () => {
    const more = await there.makes({ type: 'm.room.message', content: { body: 'more' } });
    await receive(OTHER.name, [join.text]);
    const byItself = await receive(OTHER.name, [altered(hello)]);
    const byNobody = await receive(RELAY, [altered(more)], { takesAltered: true });
    for (const { received } of [byItself, byNobody]) expect(received).toMatchObject([{ kind: 'accepted' }]);
    for (const one of [hello, more]) expect(await contentOf(one)).toEqual({});
    expect(problems()).toEqual([]);
  });

  it('is what is left of it where a redaction of it is here, which may redact it', async () => {
    await receive(OTHER.name, [join.text]);
    const redacts = hello.event.eventId;
    const prev = [join.event.eventId];
    const draft = { type: 'm.room.redaction', redacts, prev };
    const forbidden = await makeOn(there, OTHER, { ...draft, sender: OTHER.user('nobody') });
    await receive(RELAY, [forbidden.text]);
    expect((await receive(RELAY, [altered(hello)])).received).toMatchObject([{ kind: 'dropped' }]);
    await receive(RELAY, [(await there.makes(draft)).text]);
    expect((await receive(RELAY, [altered(hello)])).received).toMatchObject([{ kind: 'accepted' }]);
    expect(await contentOf(hello)).toEqual({});
  });

  it('does not take the place of the whole one that waits for others', async () => {
    await receive(RELAY, [hello.text]);
    await receive(RELAY, [altered(hello)]);
    await receive(RELAY, [altered(hello)], { takesAltered: true });
    const { released } = await receive(OTHER.name, [join.text]);
    expect(released).toMatchObject([{ kind: 'accepted' }]);
    expect(await contentOf(hello)).toEqual({ body: 'hello' });
  });

  it('is refused for nothing that the whole one might be right in', async () => {
    await openIn('8');
    const allow = [{ type: 'm.room_membership', room_id: '!other:b.example' }];
    await home.setState(ALICE, roomId, 'm.room.join_rules', { join_rule: 'restricted', allow });
    await there.receive(pduTextOf(home.facts(roomId, 'pdu-accepted').at(-1)!.data));
    const content = { membership: 'join', join_authorised_via_users_server: ALICE };
    const one = await makeOn(there, OTHER, { type: 'm.room.member', sender: BOB, stateKey: BOB, content });
    // Of this version a redaction takes away who authorised it.
    const { received } = await receive(OTHER.name, [altered(one, { membership: 'join' })]);
    expect(received).toMatchObject([{ kind: 'dropped', wantedWhole: one.event.eventId }]);
    const { serverName, signingKey } = TEST_AUTHOR;
    const whole = canonicalJson(signEvent(one.event.pdu, there.version, serverName, signingKey));
    expect((await receive(OTHER.name, [whole])).received).toMatchObject([{ kind: 'accepted' }]);
  });
});

describe('an event of a state in a copy with another content than was signed', () => {
  const receiveOutlier = (text: string): Promise<Receipt> => home.execute(new ReceiveOutliers(RELAY, roomId, [text]));

  async function known(eventId: EventId): Promise<unknown> {
    const { result } = await home.workers.run(roomId, { actor: ALICE }, (turn) => turn.known.find([eventId]));
    return result.get(eventId)?.event.content;
  }

  it('is kept, for many were redacted, until the whole one comes', async () => {
    const { eventId, content } = join.event;
    expect((await receiveOutlier(altered(join, { membership: 'join' }))).received).toMatchObject([{ kind: 'outlier' }]);
    expect(await known(eventId)).toEqual({ membership: 'join' });
    expect((await receiveOutlier(join.text)).received).toMatchObject([{ kind: 'outlier' }]);
    expect(await known(eventId)).toEqual(content);
    for (const text of [join.text, altered(join, { membership: 'join' })])
      expect((await receiveOutlier(text)).received).toMatchObject([{ kind: 'known' }]);
    expect(problems()).toEqual([]);
  });

  it('does not bring back what a redaction took away', async () => {
    const { eventId } = join.event;
    await receiveOutlier(altered(join, { membership: 'join' }));
    await home.workers.run(roomId, { actor: ALICE }, async (turn) =>
      turn.redact(
        { event_id: eventId, redacted_by: '$r' as EventId, room_version: '11' },
        (await turn.known.find([eventId])).get(eventId)!.event.pdu,
      ),
    );
    expect((await receiveOutlier(join.text)).received).toMatchObject([{ kind: 'known' }]);
    expect(await known(eventId)).toEqual({ membership: 'join' });
  });
});
