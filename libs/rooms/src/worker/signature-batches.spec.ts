import type { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { createSigningKey, parseVerifyKey } from '#protocol/signing/signing-key';
import { checkingTogether, keyInBatches, SignatureBatches, type SignatureCheck } from './signature-batches.js';

const KEYS = [1, 2, 3].map((seed) => createSigningKey(Buffer.alloc(32, seed), 'a'));

/** Checks of so many texts by several keys, every third of which does not hold; and what becomes of them. */
function checksOf(count: number): { checks: SignatureCheck[]; alone: number[]; answers: Promise<boolean[]> } {
  const alone: number[] = [];
  const checks: SignatureCheck[] = [];
  const answers = Array.from({ length: count }, (_, i) => {
    const key = KEYS[i % KEYS.length]!;
    const text = i % 2 === 0 ? `text ${i} \u{1f600}` : Buffer.from(`text ${i}`);
    const signature = key.sign(i % 3 === 0 ? 'another' : text);
    return new Promise<boolean>((resolve) => {
      const checkAlone = (): void => {
        alone.push(i);
        resolve(i % 3 !== 0);
      };
      checks.push({ key: key.publicKey, message: text, signature, resolve, checkAlone });
    });
  });
  return { checks, alone, answers: Promise.all(answers) };
}

const expected = (count: number): boolean[] => Array.from({ length: count }, (_, i) => i % 3 !== 0);

describe('signatures that are checked together', () => {
  it.each([
    ['libsodium', new SignatureBatches()],
    ['OpenSSL, where there is no libsodium', new SignatureBatches(undefined, '')],
  ])('are told apart on other threads, whatever keys they are by, by %s', async (_, batches) => {
    const { checks, alone, answers } = checksOf(150);
    for (const check of checks) batches.add(check);
    expect(await answers).toEqual(expected(150));
    expect(alone).toEqual([]);
  });

  it('are checked one by one where they are few', async () => {
    const { checks, alone, answers } = checksOf(3);
    const batches = new SignatureBatches();
    for (const check of checks) batches.add(check);
    expect(await answers).toEqual(expected(3));
    expect(alone).toEqual([0, 1, 2]);
  });

  it('do not hold where they, or their key, are none', async () => {
    const known = { key: parseVerifyKey(KEYS[0]!.publicKey)!, validUntil: 1, isOld: false };
    const { key } = checkingTogether({ find: () => known }).find('b.example' as ServerName, 'ed25519:a')!;
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => key.verifyAside('text', Buffer.alloc(i))));
    expect(all).toEqual(Array.from({ length: 40 }, () => false));
    const good = KEYS[0]!.sign('text');
    expect(await Promise.all(Array.from({ length: 40 }, () => key.verifyAside('text', good)))).not.toContain(false);
  });

  it('do not hold by a key that is none, whatever the threads check with', async () => {
    const identity = Buffer.from([1, ...Buffer.alloc(31)]);
    const key = keyInBatches(parseVerifyKey(identity)!, new SignatureBatches(undefined, ''));
    const signature = Buffer.concat([identity, Buffer.alloc(32)]);
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => key.verifyAside(`text ${i}`, signature)));
    expect(all).toEqual(Array.from({ length: 40 }, () => false));
  });

  it('are checked one by one where no thread can be begun', async () => {
    const { checks, alone, answers } = checksOf(40);
    // As under a limit of the processes of a container.
    const NoThread = function () {
      throw new Error('ERR_WORKER_INIT_FAILED');
    } as unknown as typeof Worker;
    const batches = new SignatureBatches(undefined, undefined, NoThread);
    for (const check of checks) batches.add(check);
    expect(await answers).toEqual(expected(40));
    expect(alone).toHaveLength(40);
  });

  it('are checked one by one where a thread ends before it answers', async () => {
    const { checks, alone, answers } = checksOf(40);
    const batches = new SignatureBatches("require('worker_threads').parentPort.on('message', () => { throw 1; })");
    for (const check of checks) batches.add(check);
    expect(await answers).toEqual(expected(40));
    expect(alone).toHaveLength(40);
  });
});
