import { hash as argon2 } from '@node-rs/argon2';
import { describe, expect, it } from 'vitest';
import { PasswordHasher } from './password-hasher.js';
import { hashSecret, newAccessToken, newDeviceId, newRegistrationToken } from './secrets.js';

describe('passwords', () => {
  const hasher = new PasswordHasher();

  it('are hashed with argon2id and a salt of their own, and verified', async () => {
    const [one, other] = await Promise.all([hasher.hash('pässword'), hasher.hash('pässword')]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(one).not.toBe(other);
    expect(await hasher.verify(one, 'pässword')).toBe(true);
    expect(await hasher.verify(one, 'password')).toBe(false);
  });

  it('are the same however a keyboard composes their letters, and no more than that is', async () => {
    const [composed, apart] = ['p\u00e4ssword', 'pa\u0308ssword'];
    const hash = await hasher.hash(apart);
    expect(await Promise.all([composed, apart].map((password) => hasher.verify(hash, password)))).toEqual([true, true]);
    expect(await hasher.verify(await hasher.hash('1'), '\uff11')).toBe(false);
    // Of when they were hashed as they were typed.
    const typed = await argon2(apart);
    expect(await Promise.all([apart, composed].map((password) => hasher.verify(typed, password)))).toEqual([
      true,
      false,
    ]);
    expect(await hasher.verify(undefined, apart)).toBe(false);
    // By one keyboard it is as long as may be, by the other longer.
    const long = '\u00e4'.repeat(256);
    expect(await hasher.verify(await hasher.hash(long), long.normalize('NFD'))).toBe(true);
  });

  it('match nothing where there is no hash', async () => {
    expect(await hasher.verify(undefined, 'a password that nobody has')).toBe(false);
  });

  it('are refused where they are empty or beyond all measure', async () => {
    await expect(hasher.hash('')).rejects.toMatchObject({ errcode: 'M_WEAK_PASSWORD' });
    await expect(hasher.hash('x'.repeat(513))).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' });
    expect(await hasher.verify(await hasher.hash('x'), 'x'.repeat(100_000))).toBe(false);
  });

  it('wait for their turn, and all get it', async () => {
    const hashes = await Promise.all(Array.from({ length: 7 }, (_, i) => hasher.hash(`password ${i}`)));
    const matches = await Promise.all(hashes.map((hash, i) => hasher.verify(hash, `password ${i}`)));
    expect(matches).toEqual(Array.from({ length: 7 }, () => true));
  });
});

describe('secrets', () => {
  it('are new each time, and of forms that their places take', () => {
    expect(newAccessToken()).toMatch(/^annals_at_[\w-]{43}$/);
    expect(newAccessToken()).not.toBe(newAccessToken());
    expect(newRegistrationToken()).toMatch(/^[\w-]{22}$/);
    for (let i = 0; i < 2_000; i++) expect(newRegistrationToken(1)).toMatch(/^\w$/);
    expect(newDeviceId()).toMatch(/^[A-Z]{10}$/);
  });

  it('are kept as sha256', () => {
    expect(hashSecret('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});
