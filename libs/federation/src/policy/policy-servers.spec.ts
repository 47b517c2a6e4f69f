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

  const AWAY = { status: 503, errcode: 'M_UNKNOWN' };
  const refused = (status: number, errcode?: string, retryAfterMs?: number): PeerRefused =>
    new PeerRefused(status, errcode === undefined ? {} : { errcode, error: 'its words' }, retryAfterMs);
  // What it answers, what who sent an event is told, and whether that says that it does not want the event.
  it.each<[Error, object, 'refused' | 'unavailable']>([
    [refused(400, 'M_FORBIDDEN'), { status: 400, errcode: 'M_FORBIDDEN', message: 'its words' }, 'refused'],
    [refused(400, 'M_BAD_JSON'), { status: 400, errcode: 'M_BAD_JSON', message: 'its words' }, 'refused'],
    [refused(400, 'M_NOT_JSON'), { status: 400, errcode: 'M_NOT_JSON', message: 'its words' }, 'refused'],
    [refused(413, 'M_TOO_LARGE'), { status: 413, errcode: 'M_TOO_LARGE', message: 'its words' }, 'refused'],
    [refused(403, 'M_FORBIDDEN'), { status: 403, errcode: 'M_FORBIDDEN', message: 'its words' }, 'refused'],
    [refused(400, 'M_UNKNOWN_TOKEN'), { status: 400, errcode: 'M_FORBIDDEN', message: 'its words' }, 'refused'],
    [refused(404, 'M_NOT_FOUND'), { status: 404, errcode: 'M_NOT_FOUND', message: 'its words' }, 'unavailable'],
    [refused(404, 'M_UNRECOGNIZED'), { status: 404, errcode: 'M_UNRECOGNIZED', message: expect.stringContaining('m.room.policy') }, 'unavailable'], // prettier-ignore
    [refused(400, 'M_UNRECOGNIZED'), { status: 404, errcode: 'M_UNRECOGNIZED' }, 'unavailable'],
    [refused(404), { status: 404, errcode: 'M_UNRECOGNIZED' }, 'unavailable'],
    [refused(405), { status: 404, errcode: 'M_UNRECOGNIZED' }, 'unavailable'],
    [refused(429, 'M_LIMIT_EXCEEDED', 30), { status: 429, errcode: 'M_LIMIT_EXCEEDED', fields: { retry_after_ms: 30 } }, 'unavailable'], // prettier-ignore
    [refused(429, undefined, 30), { status: 429, errcode: 'M_LIMIT_EXCEEDED', fields: { retry_after_ms: 30 } }, 'unavailable'], // prettier-ignore
    [refused(400), AWAY, 'unavailable'],
    [refused(401, 'M_UNAUTHORIZED'), AWAY, 'unavailable'],
    [refused(401, 'M_FORBIDDEN'), AWAY, 'unavailable'],
    [refused(403, 'M_UNKNOWN_TOKEN'), AWAY, 'unavailable'],
    [refused(500), AWAY, 'unavailable'],
    [refused(500, 'M_FORBIDDEN'), AWAY, 'unavailable'],
    [refused(502, 'M_NOT_FOUND'), AWAY, 'unavailable'],
    [new PeerUnavailable('the connection is refused'), AWAY, 'unavailable'],
  ])('that answers %s: of an event of ours, of what was received, and for metrics', async (error, told, outcome) => {
    answer = () => Promise.reject(error);
    await expect(judge(message(), true)).rejects.toMatchObject(told);
    // Nobody is shown what was received; what comes late is taken unless it is refused.
    const unanswered = outcome === 'refused' ? {} : { isUnanswered: true };
    expect(await judge(message())).toEqual({ isAllowed: false, reason: expect.stringContaining(error.message), ...unanswered }); // prettier-ignore
    expect(servers.outcomes).toEqual({ signed: 0, refused: 0, unavailable: 0, [outcome]: 2 });
  });

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
