import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { MatrixError } from '#kernel/matrix-error';
import { Slots } from '#kernel/slots';

/** OWASP's first choice for argon2id: 19 MiB, two passes, one lane. Algorithm 2 is argon2id (a const enum in the library). */
const OPTIONS = Object.freeze({ algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 });

const MAX_PASSWORD_BYTES = 512;

/** Half of libuv's four threads at most, so that the other half stays free for files while a crowd logs in; and one processor stays for answers. */
const AT_ONCE = Math.max(1, Math.min(2, availableParallelism() - 1));
/** Some seconds of work: whoever comes then is better told to come again. */
const MOST_WAITING = 300;

/** Throws M_WEAK_PASSWORD for an empty password and M_INVALID_PARAM for one beyond 512 bytes. */
export function checkPassword(password: string): void {
  if (password === '') throw new MatrixError('M_WEAK_PASSWORD', 'The password is empty');
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) {
    throw new MatrixError('M_INVALID_PARAM', `The password is longer than ${MAX_PASSWORD_BYTES} bytes`);
  }
}

/**
 * An é is an é, whether a keyboard writes one character or an e and its accent: some browsers write the one, some the other (RFC 8265,
 * section 4.2). No more than that is made one (NFC, not NFKC), or many passwords would be good for one account.
 */
const compose = (password: string): string => password.normalize('NFC');

/** Hashes and verifies passwords in the thread pool, a few at a time, the others waiting in turn: M_LIMIT_EXCEEDED where too many do. */
export class PasswordHasher {
  readonly #slots = new Slots(AT_ONCE, MOST_WAITING);
  #decoy: Promise<string> | undefined;

  /** The argon2id hash of a password. Throws as `checkPassword`. */
  async hash(password: string): Promise<string> {
    const composed = compose(password);
    checkPassword(composed);
    return this.#slots.run(() => hash(composed, OPTIONS));
  }

  /**
   * Whether the password belongs to the hash. Without a hash (no such user, no password) it is false, and takes as long, so
   * that the time of an answer does not tell which users exist.
   */
  async verify(passwordHash: string | undefined, password: string): Promise<boolean> {
    const composed = compose(password);
    // What was hashed before passwords were composed is as it was typed then. By another keyboard it may be too long, and is good all the same.
    const spellings = [...new Set([composed, password])].filter((one) => Buffer.byteLength(one) <= MAX_PASSWORD_BYTES);
    if (spellings.length === 0) return false;
    this.#decoy ??= hash('a password that nobody has', OPTIONS);
    const against = passwordHash ?? (await this.#decoy);
    let matches = false;
    for (const spelling of spellings) matches ||= await this.#slots.run(() => verify(against, spelling));
    return matches && passwordHash !== undefined;
  }
}
