import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { hideAddress } from './hide-address.js';
import { readOffer } from './read-offer.js';

const OF = { medium: 'email', address: 'robert@mail.example' };
const KEY = 'iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w';
const URL_OF = 'https://id.example/isvalid';
const key = { public_key: KEY, key_validity_url: URL_OF };
const answer = (other: JsonObject = {}): JsonObject => ({
  token: 'abc',
  public_keys: [key],
  display_name: 'r...@m...',
  ...other,
});

describe('what an identity server answers of an invitation', () => {
  it('is what the room is told', () => {
    expect(readOffer(answer(), OF)).toEqual({
      token: 'abc',
      content: { display_name: 'r...@m...', ...key, public_keys: [key] },
    });
  });

  it('tells the room nothing of the address', () => {
    for (const display_name of ['robert@mail.example', 'ROBERT (a friend)', 'x'.repeat(300), 1]) {
      const { content } = readOffer(answer({ display_name }), OF);
      expect(content['display_name']).toBe('r...@m...');
    }
    const al = { medium: 'email', address: 'al@mail.example' };
    expect(readOffer(answer({ display_name: 'a...@mail' }), al).content['display_name']).toBe('a...@mail');
  });

  it.each([
    { token: '' },
    { token: 'a b' },
    { token: 'x'.repeat(256) },
    { token: 1 },
    { public_keys: [] },
    { public_keys: [{ ...key, public_key: 'abc' }] },
    { public_keys: [{ ...key, key_validity_url: 'nowhere' }] },
    { public_keys: 1 },
  ])('is none where it lacks something: %j', (other) =>
    expect(() => readOffer(answer(other as JsonObject), OF)).toThrow('no invitation'),
  );
});

it.each([
  ['email', 'robert@mail.example', 'r...@m...'],
  ['email', 'a@b', '...@...'],
  ['email', '🦊fox@mail.example', '🦊...@m...'],
  ['msisdn', '49301234567', '49...'],
])('for %s %s stands %s', (medium, address, hidden) => expect(hideAddress({ medium, address })).toBe(hidden));
