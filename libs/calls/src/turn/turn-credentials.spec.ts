import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { turnCredentials } from './turn-credentials.js';

const BLOCK = 64;

/** HMAC as RFC 2104 has it, of nothing but SHA-1. */
function hmacSha1(secret: string, text: string): string {
  const long = Buffer.from(secret);
  const short = long.length > BLOCK ? Buffer.from(hash('sha1', long, 'hex'), 'hex') : long;
  const key = Buffer.concat([short, Buffer.alloc(BLOCK - short.length)]);
  const padded = (byte: number): Buffer => Buffer.from(key.map((each) => each ^ byte));
  const inner = Buffer.from(hash('sha1', Buffer.concat([padded(0x36), Buffer.from(text)]), 'hex'), 'hex');
  return Buffer.from(hash('sha1', Buffer.concat([padded(0x5c), inner]), 'hex'), 'hex').toString('base64');
}

const alice = '@alice:a.example' as UserId;
const uris = ['turn:turn.a.example:3478?transport=udp', 'turns:turn.a.example:5349'];

describe('credentials for a TURN server', () => {
  it('are those that another program makes of the same secret', () => {
    const turn = { uris, secret: 'a secret that is shared', lifetimeSeconds: 10_000 };
    // By Python's hmac: base64(hmac-sha1(secret, '1795870000:@alice:a.example')).
    expect(turnCredentials(turn, alice, 1_795_860_000_999)).toEqual({
      username: '1795870000:@alice:a.example',
      password: 'miI13kpLLwFkACAX0wRmb/61SX0=',
      uris,
      ttl: 10_000,
    });
  });

  it.each(['s', 'a secret', 'x'.repeat(64), 'x'.repeat(65), 'ein Geheimnis, länger als ein Block: '.repeat(9)])(
    'hold by the text of the algorithm, whatever the secret: %s',
    (secret) => {
      const { username, password } = turnCredentials({ uris, secret, lifetimeSeconds: 60 }, alice, 0);
      expect(username).toBe(`60:${alice}`);
      expect(password).toBe(hmacSha1(secret, username));
    },
  );
});
