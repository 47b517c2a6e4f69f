import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { redact } from '#protocol/redaction/redact';
import type { RoomEvent } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { createSigningKey, type SigningKey } from '#protocol/signing/signing-key';
import { ForeignServer } from '#testing/receiving/foreign-server';
import type { PeerRequest } from '../peers/peers.js';
import { PolicyServers } from './policy-servers.js';

const NAME = 'policy.example' as ServerName;
const SENDER = new ForeignServer('b.example', 2);
const key = createSigningKey(Buffer.alloc(32, 1), 'policy_server');
const otherKey = createSigningKey(Buffer.alloc(32, 2), 'policy_server');

describe.each(['1', '11', '12'])('the policy server of a room of version %s', (id) => {
  const version = findRoomVersion(id)!;
  const create = SENDER.create(version, SENDER.user('bob')).event;
  const message = (type = 'm.room.message', stateKey?: string): RoomEvent =>
    SENDER.make(version, create.roomId, { type, sender: SENDER.user('bob'), stateKey, content: { body: 'b' }, prev: [create.eventId], auth: [] }).event; // prettier-ignore
  const signed = (event: RoomEvent, by: SigningKey, name: string = NAME): JsonObject =>
    signJson({ ...redact(event.pdu, version), signatures: {} }, name, by)['signatures'] as JsonObject;

  let asked: JsonObject[];
  let answer: () => Promise<JsonObject>;
  let isIn: boolean;
  let servers: PolicyServers;
  beforeEach(() => {
    [asked, isIn] = [[], true];
    answer = async () => ({});
    const peers = {
      ask: (to: ServerName, { content = {}, signal, mayBeOurs }: PeerRequest) => {
        expect({ to, mayBeOurs }).toEqual({ to: NAME, mayBeOurs: true });
        asked.push(content);
        const late = new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
        return Promise.race([answer(), late]);
      },
    };
    servers = new PolicyServers(peers, 100);
  });

  const contentOf = (by: SigningKey): JsonObject => ({
    via: NAME,
    public_keys: { ed25519: encodeBase64(by.publicKey) },
  });
  const judge = (event: RoomEvent, isOwn = false, content = contentOf(key)) => {
    const policyEvent = { ...message('m.room.policy', ''), content, eventId: '$policy' as EventId };
    return servers.policy(event, { isOwn, version, policyEvent, isThere: isIn });
  };

  it('is asked for what has not its signature, and gives it', async () => {
    const event = message();
    answer = async () => signed(event, key);
    expect(await judge(event)).toMatchObject({
      isAllowed: true,
      signed: { signer: NAME, keyId: 'ed25519:policy_server' },
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ type: 'm.room.message', content: { body: 'b' } });
  });

  it('is not asked for what has it, nor for what names it, nor where it has no say', async () => {
    const event = message();
    const has = {
      ...event,
      pdu: { ...event.pdu, signatures: { ...(event.pdu['signatures'] as object), ...signed(event, key) } },
    };
    expect(await judge(has)).toEqual({ isAllowed: true });
    expect(await judge(message('m.room.policy', ''))).toEqual({ isAllowed: true });
    const none: JsonObject[] = [{}, { via: NAME }, { via: NAME, public_keys: {} }, { via: 1, public_keys: { ed25519: 'a' } }, { via: NAME, public_keys: { ed25519: 1 } }]; // prettier-ignore
    for (const content of none) expect(await judge(event, false, content)).toEqual({ isAllowed: true });
    isIn = false;
    expect(await judge(event)).toEqual({ isAllowed: true });
    expect(await servers.policy(event, { isOwn: true, version, policyEvent: undefined, isThere: false })).toEqual({
      isAllowed: true,
    });
    expect(asked).toEqual([]);
  });

  it('is asked for other events of that type', async () => {
    await judge(message('m.room.policy'));
    await judge(message('m.room.policy', 'other'));
    expect(asked).toHaveLength(2);
  });

  it('is asked anew where the signature is another key, or wrong, and is believed by its key alone', async () => {
    const event = message();
    const old = {
      ...event,
      pdu: { ...event.pdu, signatures: { ...(event.pdu['signatures'] as object), ...signed(event, otherKey) } },
    };
    answer = async () => signed(event, key);
    expect(await judge(old)).toMatchObject({ isAllowed: true, signed: { signer: NAME } });
    const wrong: JsonObject[] = [
      signed(event, otherKey),
      signed(message('m.other'), key),
      {},
      { [NAME]: 'x' },
      signed(event, key, 'b.example'),
    ];
    for (const body of wrong) {
      answer = async () => body;
      expect(await judge(event)).toEqual({ isAllowed: false, reason: expect.stringContaining('has not signed') });
      await expect(judge(event, true)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    }
    // What is no key can sign nothing.
    answer = async () => signed(event, key);
    expect(await judge(event, false, { via: NAME, public_keys: { ed25519: 'short' } })).toMatchObject({
      isAllowed: false,
    });
  });

  it('refuses, which the sender hears in its words, and of what it received nobody', async () => {
    const refusal = { errcode: 'M_FORBIDDEN', error: 'spam' };
    answer = () => Promise.reject(new PeerRefused(400, refusal));
    await expect(judge(message(), true)).rejects.toMatchObject({
      status: 400,
      errcode: 'M_FORBIDDEN',
      message: 'spam',
    });
    expect(await judge(message())).toEqual({ isAllowed: false, reason: expect.stringContaining('spam') });
    answer = () => Promise.reject(new PeerRefused(429, { errcode: 'M_LIMIT_EXCEEDED' }, 5000));
    await expect(judge(message(), true)).rejects.toMatchObject({ status: 429, fields: { retry_after_ms: 5000 } });
  });

  it('that is none lets nothing be sent, which no other try mends, and nothing be shown', async () => {
    answer = () => Promise.reject(new PeerRefused(404, { errcode: 'M_UNRECOGNIZED', error: 'Unrecognized request' }));
    await expect(judge(message(), true)).rejects.toMatchObject({ status: 404, errcode: 'M_UNRECOGNIZED', message: expect.stringContaining('m.room.policy') }); // prettier-ignore
    expect(await judge(message())).toMatchObject({ isAllowed: false, isUnanswered: true });
  });

  it.each([new PeerRefused(401, { errcode: 'M_UNAUTHORIZED' }), new PeerRefused(500, {}), new PeerUnavailable('away')])(
    'that says nothing of events, or does not answer, lets nothing be sent for now, and nothing be shown',
    async (error) => {
      answer = () => Promise.reject(error);
      await expect(judge(message(), true)).rejects.toMatchObject({ status: 503, errcode: 'M_UNKNOWN' });
      expect(await judge(message())).toMatchObject({ isAllowed: false, isUnanswered: true });
    },
  );

  it('is waited for so long and no longer', async () => {
    answer = () => new Promise(() => {});
    await expect(judge(message(), true)).rejects.toMatchObject({ status: 503 });
    const all = await Promise.all(Array.from({ length: 40 }, () => judge(message())));
    for (const verdict of all)
      expect(verdict).toMatchObject({ isUnanswered: true, reason: expect.stringContaining('within 100 ms') });
    expect(servers.outcomes).toEqual({ signed: 0, refused: 0, unavailable: 41 });
  });

  it('that is busy is asked once more for what was received', async () => {
    const event = message();
    let tries = 0;
    answer = async () => {
      if (tries++ === 0) throw new PeerRefused(429, { errcode: 'M_LIMIT_EXCEEDED' }, 1);
      return signed(event, key);
    };
    expect(await judge(event)).toMatchObject({ isAllowed: true });
    expect(tries).toBe(2);
    answer = () => Promise.reject(new PeerRefused(429, { errcode: 'M_LIMIT_EXCEEDED' }, 1));
    expect(await judge(event)).toMatchObject({ isAllowed: false, isUnanswered: true });
  });
});
