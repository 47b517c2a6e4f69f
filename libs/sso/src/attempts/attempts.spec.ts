import type { FastifyReply, FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import type { AuthNotes } from '#accounts/interactive-auth/auth-notes';
import { generateSigningKey } from '#protocol/signing/signing-key';
import type { Attempt } from './attempt.js';
import { Attempts } from './attempts.js';
import { Sealer } from './sealer.js';
import { newAttemptId } from './secrets.js';

const clock = { now: () => 1_000 };
const attemptsAt = (publicUrl: string): Attempts =>
  new Attempts(new Sealer(generateSigningKey(), clock), {} as AuthNotes, clock, { publicUrl });
const secrets = { state: 's', nonce: 'n', verifier: 'v' };
const BEGUN: Attempt = {
  step: 'begun',
  begunAt: 1,
  provider: 'one',
  secrets,
  purpose: { kind: 'client', redirectUrl: 'https://app.example/' },
  anewSince: undefined,
};

/** The cookies that a browser was told to keep, or to forget, which has those. */
function told(cookie: string, work: (reply: FastifyReply) => void): string[] {
  const lines: string[] = [];
  const reply = { request: { headers: { cookie } }, header: (_: string, line: string) => lines.push(line) };
  work(reply as unknown as FastifyReply);
  return lines;
}

describe('a log-in under way', () => {
  it.each([
    [
      'https://a.example/matrix',
      /^__Host-annals_sso_[\w-]{12}=[\w-]+; Path=\/; Max-Age=900; HttpOnly; SameSite=Lax; Secure$/,
    ],
    ['http://localhost:8008', /^annals_sso_[\w-]{12}=[\w-]+; Path=\/; Max-Age=900; HttpOnly; SameSite=Lax$/],
  ])('is kept by a browser for this host alone, which no other can set (%s)', (publicUrl, form) => {
    const attempts = attemptsAt(publicUrl);
    const id = newAttemptId();
    const [line = ''] = told('', (reply) => attempts.keep(reply, id, BEGUN));
    expect(line).toMatch(form);
    const cookie = line.split(';')[0]!;
    expect(attempts.find({ headers: { cookie } } as FastifyRequest, id)).toEqual(BEGUN);
    // What another host of the domain may set under the name that has no prefix.
    const others = publicUrl.startsWith('https') ? cookie.replace('__Host-', '') : `${cookie}; ${cookie}`;
    expect(attempts.find({ headers: { cookie: others } } as FastifyRequest, id)).toBeUndefined();
  });

  it('has the oldest give way where a browser begins many', () => {
    const attempts = attemptsAt('https://a.example');
    const ids = Array.from({ length: 4 }, newAttemptId);
    const cookie = `other=1; ${ids.map((id) => `__Host-annals_sso_${id}=x`).join('; ')}`;
    const lines = told(cookie, (reply) => attempts.keep(reply, newAttemptId(), BEGUN));
    const forgotten = lines.filter((line) => line.includes('Max-Age=0')).map((line) => line.split('=')[0]);
    expect(forgotten).toEqual(ids.slice(0, 2).map((id) => `__Host-annals_sso_${id}`));
    expect(lines).toHaveLength(3);
  });
});
