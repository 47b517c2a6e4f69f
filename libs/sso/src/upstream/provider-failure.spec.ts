import { describe, expect, it } from 'vitest';
import { OutgoingFailure } from '#http/outgoing/outgoing';
import { providerFailure } from './provider-failure.js';

const errorWith = (cause: unknown): Error => new Error('something went wrong', { cause });

describe('why a provider could not be asked', () => {
  it('says that it was not reached, and how', () => {
    const failure = new OutgoingFailure(new Error('connect ECONNREFUSED 127.0.0.1:1'), false);
    expect(providerFailure(errorWith(failure))).toBe(failure.message);
    expect(failure.message).toContain('ECONNREFUSED');
  });

  it('says by which code it refused, and nothing of what it answered', () => {
    const refusal = Object.assign(errorWith({ id_token: 'secret' }), { error: 'invalid_client' });
    expect(providerFailure(refusal)).toBe('something went wrong (invalid_client)');
    expect(providerFailure(errorWith(new Error('secret')))).toBe('something went wrong');
  });
});
