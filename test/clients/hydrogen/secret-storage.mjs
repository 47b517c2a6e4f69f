import { createCipheriv, createHmac, generateKeyPairSync, hkdfSync, pbkdf2Sync, randomBytes, sign } from 'node:crypto';

const unpadded = (bytes) => Buffer.from(bytes).toString('base64').replace(/=+$/, '');

/** m.secret_storage.v1.aes-hmac-sha2 */
function encrypt(key, name, text) {
  const keys = Buffer.from(hkdfSync('sha256', key, Buffer.alloc(8), name, 64));
  const iv = randomBytes(16);
  // Counters of some makers have 63 bits.
  iv[8] &= 0x7f;
  const cipher = createCipheriv('aes-256-ctr', keys.subarray(0, 32), iv);
  const ciphertext = Buffer.concat([cipher.update(text), cipher.final()]);
  const mac = createHmac('sha256', keys.subarray(32)).update(ciphertext).digest();
  return { iv: unpadded(iv), ciphertext: unpadded(ciphertext), mac: unpadded(mac) };
}

function keyPair(kind) {
  const { privateKey } = generateKeyPairSync(kind);
  const { d, x } = privateKey.export({ format: 'jwk' });
  const told = (text) => unpadded(Buffer.from(text, 'base64url'));
  return { privateKey, secret: told(d), name: told(x) };
}

/** What a client that offers it does once for a user (Hydrogen does not): keys for cross-signing, a backup, and a phrase for all. */
export async function setUpSecretStorage(session, phrase) {
  const { userId } = session;
  const [master, self, user] = [keyPair('ed25519'), keyPair('ed25519'), keyPair('ed25519')];
  const backup = keyPair('x25519');

  const published = (usage, { name }) => ({ keys: { [`ed25519:${name}`]: name }, usage: [usage], user_id: userId });
  const signed = (key) => {
    // Its keys are in their canonical order.
    const signature = sign(null, Buffer.from(JSON.stringify(key)), master.privateKey);
    return { ...key, signatures: { [userId]: { [`ed25519:${master.name}`]: unpadded(signature) } } };
  };
  await session.ask('POST', '/keys/device_signing/upload', {
    master_key: published('master', master),
    self_signing_key: signed(published('self_signing', self)),
    user_signing_key: signed(published('user_signing', user)),
  });
  const algorithm = 'm.megolm_backup.v1.curve25519-aes-sha2';
  await session.ask('POST', '/room_keys/version', { algorithm, auth_data: { public_key: backup.name } });

  const passphrase = { algorithm: 'm.pbkdf2', iterations: 1000, salt: randomBytes(16).toString('hex'), bits: 256 };
  const key = pbkdf2Sync(phrase, passphrase.salt, passphrase.iterations, 32, 'sha512');
  const keep = (type, content) =>
    session.ask('PUT', `/user/${encodeURIComponent(userId)}/account_data/${encodeURIComponent(type)}`, content);
  const { iv, mac } = encrypt(key, '', Buffer.alloc(32));
  await keep('m.secret_storage.key.only', { algorithm: 'm.secret_storage.v1.aes-hmac-sha2', passphrase, iv, mac });
  await keep('m.secret_storage.default_key', { key: 'only' });
  const secrets = {
    'm.cross_signing.master': master.secret,
    'm.cross_signing.self_signing': self.secret,
    'm.cross_signing.user_signing': user.secret,
    'm.megolm_backup.v1': backup.secret,
  };
  for (const [name, secret] of Object.entries(secrets))
    await keep(name, { encrypted: { only: encrypt(key, name, secret) } });
}
