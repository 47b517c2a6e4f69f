import { availableParallelism } from 'node:os';
import { setImmediate as afterThisTurn } from 'node:timers';
import { Worker } from 'node:worker_threads';
import { hasSmallOrder, SODIUM_PATH } from '#protocol/signing/ed25519';
import type { VerifyKey } from '#protocol/signing/signing-key';
import type { ServerKeys } from '../server-keys.js';

/** A signature to be checked. */
export interface SignatureCheck {
  /** The public key, 32 bytes. */
  readonly key: Buffer;
  readonly message: Uint8Array | string;
  readonly signature: Uint8Array;
  readonly resolve: (holds: boolean) => void;
  /** Checks it by itself, and resolves. */
  readonly checkAlone: () => void;
}

/** As many of one turn of the event loop as are worth another thread; so many go there in one message. */
const FEWEST = 16;
const BATCH = 64;
const MOST_THREADS = 4;
/** A thread that has had nothing to do for so long ends, in milliseconds: it holds memory. */
const IDLE_MS = 5_000;
/** In a message to a thread they stand one behind the other; of another length is none. */
const SIGNATURE_BYTES = 64;

/** What the thread runs: plain JavaScript, so that it needs no file beside it. It checks as `ed25519` does, by the same library. */
const PROGRAM = `
const { createPublicKey, verify } = require('node:crypto');
const { parentPort, workerData } = require('node:worker_threads');
const sodium = workerData ? require(workerData) : undefined;
const PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const keys = new Map();
function keyOf(bytes) {
  const hex = Buffer.from(bytes).toString('hex');
  let key = keys.get(hex);
  if (key === undefined) {
    if (keys.size >= 1000) keys.clear();
    key = createPublicKey({ key: Buffer.concat([PREFIX, bytes]), format: 'der', type: 'spki' });
    keys.set(hex, key);
  }
  return key;
}
function holds(message, signature, key) {
  const bytes = typeof message === 'string' ? Buffer.from(message) : message;
  if (sodium === undefined) return verify(null, bytes, keyOf(key), signature);
  return signature.length === 64 && sodium.crypto_sign_verify_detached(signature, bytes, key);
}
parentPort.on('message', ({ keys, messages, signatures }) => {
  parentPort.postMessage(messages.map((message, i) => {
    try {
      return holds(message, signatures.subarray(64 * i, 64 * (i + 1)), keys.subarray(32 * i, 32 * (i + 1)));
    } catch {
      return false;
    }
  }));
});
`;

interface Thread {
  readonly worker: Worker;
  /** What it was sent and has not answered, oldest first. */
  readonly sent: (readonly SignatureCheck[])[];
  idle: NodeJS.Timeout | undefined;
}

/**
 * Checks many signatures on other threads, some dozens in a message. PERF: to hand a single one to another thread takes this one a
 * good part of the time that checking it takes (bench/joining.ts).
 */
export class SignatureBatches {
  readonly #threads: Thread[] = [];
  #waiting: SignatureCheck[] = [];

  /** `program` is what the threads run: tests give one that fails, and do without libsodium, or without threads. */
  constructor(
    private readonly program = PROGRAM,
    private readonly sodiumPath = SODIUM_PATH ?? '',
    private readonly Thread = Worker,
  ) {}

  add(check: SignatureCheck): void {
    if (this.#waiting.push(check) === 1) afterThisTurn(() => this.#flush());
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length < FEWEST) for (const { checkAlone } of waiting) checkAlone();
    else for (let at = 0; at < waiting.length; at += BATCH) this.#send(waiting.slice(at, at + BATCH));
  }

  #send(checks: readonly SignatureCheck[]): void {
    const thread = this.#pick();
    if (thread === undefined) {
      for (const { checkAlone } of checks) checkAlone();
      return;
    }
    clearTimeout(thread.idle);
    thread.sent.push(checks);
    thread.worker.ref();
    // PERF: two buffers for all of them are copied to the thread in a third of the time of two for each (bench/federation.ts).
    const batch = {
      keys: Buffer.concat(checks.map(({ key }) => key)),
      messages: checks.map(({ message }) => message),
      signatures: Buffer.concat(checks.map(({ signature }) => signature)),
    };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    thread.worker.postMessage(batch);
  }

  /** The one with the least to do; undefined where there is none and the machine gives none. */
  #pick(): Thread | undefined {
    const [first] = this.#threads.toSorted((a, b) => a.sent.length - b.sent.length);
    const isFull = this.#threads.length >= Math.min(availableParallelism(), MOST_THREADS);
    return first !== undefined && (isFull || first.sent.length === 0) ? first : (this.#begin() ?? first);
  }

  #begin(): Thread | undefined {
    const worker = this.#start();
    if (worker === undefined) return undefined;
    const thread: Thread = { worker, sent: [], idle: undefined };
    this.#threads.push(thread);
    worker.on('message', (answers: readonly boolean[]) => {
      thread.sent.shift()!.forEach(({ resolve }, i) => resolve(answers[i] === true));
      if (thread.sent.length > 0) return;
      worker.unref();
      thread.idle = setTimeout(() => this.#end(thread), IDLE_MS).unref();
    });
    worker.on('error', () => this.#end(thread));
    worker.on('exit', () => this.#end(thread));
    return thread;
  }

  /** Undefined where the machine gives no more threads to this process. */
  #start(): Worker | undefined {
    try {
      return new this.Thread(this.program, { eval: true, workerData: this.sodiumPath });
    } catch {
      return undefined;
    }
  }

  /** What it has not answered is checked elsewhere. */
  #end(thread: Thread): void {
    const at = this.#threads.indexOf(thread);
    if (at >= 0) this.#threads.splice(at, 1);
    for (const { checkAlone } of thread.sent.splice(0).flat()) checkAlone();
    void thread.worker.terminate();
  }
}

/** Keys that check as many signatures together as come in one turn of the event loop. */
export function checkingTogether(keys: ServerKeys, batches = new SignatureBatches()): ServerKeys {
  const made = new WeakMap<VerifyKey, VerifyKey>();
  const together = (key: VerifyKey): VerifyKey => {
    let one = made.get(key);
    if (one === undefined) made.set(key, (one = keyInBatches(key, batches)));
    return one;
  };
  return {
    find(serverName, keyId) {
      const known = keys.find(serverName, keyId);
      return known === undefined ? undefined : { ...known, key: together(known.key) };
    },
  };
}

/** A key that checks as many signatures together as come in one turn of the event loop, with those of other keys. */
export function keyInBatches(key: VerifyKey, batches: SignatureBatches): VerifyKey {
  const verifyAside: VerifyKey['verifyAside'] = (message, signature) =>
    new Promise((resolve) => {
      const checkAlone = (): void => resolve(key.verify(message, signature));
      // A thread without libsodium would take them.
      if (hasSmallOrder(key.publicKey) || hasSmallOrder(signature) || signature.length !== SIGNATURE_BYTES)
        checkAlone();
      else batches.add({ key: key.publicKey, message, signature, resolve, checkAlone });
    });
  return { publicKey: key.publicKey, verify: key.verify, verifyAside };
}
