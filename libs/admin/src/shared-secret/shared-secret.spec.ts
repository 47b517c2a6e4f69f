import { describe, expect, it } from 'vitest';
import { isRegistrationMac, registrationMac } from './registration-mac.js';
import { RegistrationNonces } from './registration-nonces.js';

describe('registration by shared secret', () => {
  const registration = { nonce: 'thisisanonce', username: 'pepper_roni', password: 'pizza', admin: true };

  it('computes the HMAC-SHA1 that other tools compute', () => {
    // printf 'thisisanonce\0pepper_roni\0pizza\0admin' | openssl dgst -sha1 -hmac shared_secret
    expect(registrationMac('shared_secret', registration)).toBe('48715842ad67d5dc9a9ee938a3bda4fcfae8d7c7');
  });

  it('accepts the right MAC and no other', () => {
    const mac = registrationMac('shared_secret', registration);
    expect(isRegistrationMac(mac, 'shared_secret', registration)).toBe(true);
    expect(isRegistrationMac(mac, 'other_secret', registration)).toBe(false);
    expect(isRegistrationMac(mac, 'shared_secret', { ...registration, admin: false })).toBe(false);
    expect(isRegistrationMac(mac, 'shared_secret', { ...registration, userType: 'bot' })).toBe(false);
    expect(isRegistrationMac('', 'shared_secret', registration)).toBe(false);
  });

  it('lets a nonce be used once, within a minute', () => {
    let now = 1_000;
    const nonces = new RegistrationNonces({ elapsed: () => now });
    const [first, second] = [nonces.issue(), nonces.issue()];
    expect(nonces.take(first)).toBe(true);
    expect(nonces.take(first)).toBe(false);
    expect(nonces.take('made up')).toBe(false);
    now += 60_001;
    expect(nonces.take(second)).toBe(false);
  });
});
