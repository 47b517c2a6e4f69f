import { beforeEach, describe, expect, it } from 'vitest';
import type { RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { signEvent } from '#protocol/signing/sign-event';
import { createSigningKey, type SigningKey } from '#protocol/signing/signing-key';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { makeOn } from '#testing/receiving/make-on';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { RoomVerifier } from '../audit/verify-room.js';
import type { ServerKeys } from '../server-keys.js';
import { ReceivePdus } from './receive-pdus.js';
import type { Receipt } from './receiving.js';

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
const VERSION = findRoomVersion('11')!;
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER);
/** Another key under the key id of this server. */
const FORGED = createSigningKey(Buffer.alloc(32, 9), TEST_AUTHOR.signingKey.keyId.slice('ed25519:'.length));

let home: RoomCommands;
let roomId: RoomId;
let there: RoomElsewhere;

beforeEach(async () => {
  home = new RoomCommands(new RoomViews(new MemoryEventStore()), TEST_AUTHOR, KEYS);
  roomId = await home.open();
  const allow = [{ type: 'm.room_membership', room_id: '!other:b.example' }];
  await home.setState(ALICE, roomId, 'm.room.join_rules', { join_rule: 'restricted', allow });
  there = new RoomElsewhere(roomId, VERSION, KEYS, OTHER);
  await there.hear(home);
});

/** Bob's join, which the server of Alice authorises, as it was made and with a signature by another key or none, and what stands on it. */
async function joinWith(key: SigningKey | undefined): Promise<Record<'whole' | 'altered' | 'next', string>> {
  const content = { membership: 'join', join_authorised_via_users_server: ALICE };
  const { event } = await makeOn(there, OTHER, { type: 'm.room.member', sender: BOB, stateKey: BOB, content });
  const signedWith = (one: SigningKey) =>
    canonicalJson(signEvent(event.pdu, VERSION, TEST_AUTHOR.serverName, one) as JsonObject);
  const whole = signedWith(TEST_AUTHOR.signingKey);
  await there.receive(whole);
  const next = await makeOn(there, OTHER, { type: 'm.room.message', sender: BOB, prev: [event.eventId] });
  return { whole, altered: key === undefined ? canonicalJson(event.pdu) : signedWith(key), next: next.text };
}

/** What `annals verify` says with the keys that it knows. */
function problems(keys: ServerKeys): string[] {
  const verifier = new RoomVerifier(roomId, (server, keyId) => keys.find(server as ServerName, keyId)?.key);
  return home.facts(roomId).flatMap((fact) => verifier.check(fact).map(({ problem }) => problem));
}

describe('a restricted join', () => {
  it('is accepted where the server that authorises it has signed it', async () => {
    const { whole, next } = await joinWith(undefined);
    const { received }: Receipt = await home.execute(new ReceivePdus(OTHER.name, roomId, [whole, next]));
    expect(received).toMatchObject([{ kind: 'accepted' }, { kind: 'accepted' }]);
    expect(problems(KEYS)).toEqual([]);
  });

  it.each([FORGED, undefined])(
    'is not kept where whoever passed it on took that signature away, so that it is accepted once it comes as it was made',
    async (key) => {
      const { whole, altered, next } = await joinWith(key);
      const first: Receipt = await home.execute(new ReceivePdus(OTHER.name, roomId, [altered, next]));
      expect(first.received).toMatchObject([{ kind: 'dropped' }, { kind: 'missing' }]);
      expect(await home.membership(roomId, BOB)).toBeUndefined();
      const second: Receipt = await home.execute(new ReceivePdus(OTHER.name, roomId, [whole]));
      expect(second).toMatchObject({ received: [{ kind: 'accepted' }], released: [{ kind: 'accepted' }] });
      expect(problems(KEYS)).toEqual([]);
    },
  );
});
