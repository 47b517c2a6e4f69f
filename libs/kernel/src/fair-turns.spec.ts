import { beforeEach, describe, expect, it } from 'vitest';
import { FairTurns } from './fair-turns.js';

/** What was begun, in this order, and how to end it. */
let begun: string[];
let ends: Map<string, (error?: Error) => void>;
let turns: FairTurns<string>;

beforeEach(() => {
  begun = [];
  ends = new Map();
  turns = new FairTurns({ atOnce: 1, mostOfOne: 3, mostOfAll: 4, refusal: 'Too much waits' });
});

function ask(name: string, by: string, signal?: AbortSignal): Promise<string> {
  return turns.once(name, { by, signal }, () => {
    begun.push(name);
    return new Promise((resolve, reject) =>
      ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error))),
    );
  });
}

async function end(name: string, error?: Error): Promise<void> {
  ends.get(name)!(error);
  await new Promise((resolve) => setImmediate(resolve));
}

const refused = { errcode: 'M_LIMIT_EXCEEDED', fields: { retry_after_ms: 5_000 } };

describe('turns of who asks', () => {
  it('alternate, however much one of them asks for, and come to each in order', async () => {
    const all = [ask('a1', 'a'), ask('a2', 'a'), ask('a3', 'a'), ask('b1', 'b'), ask('c1', 'c')];
    for (const name of ['a1', 'a2', 'b1', 'c1', 'a3']) await end(name);
    expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3']);
    expect(await Promise.all(all)).toEqual(['a1', 'a2', 'a3', 'b1', 'c1']);
    expect(turns.waiting).toBe(0);
  });

  it('are as many at a time as there may be', async () => {
    turns = new FairTurns({ atOnce: 2, mostOfOne: 3, mostOfAll: 4, refusal: '' });
    const all = ['1', '2', '3'].map((name) => ask(name, 'a'));
    expect(begun).toEqual(['1', '2']);
    const failure = expect(all[1]).rejects.toThrow('2 failed');
    await end('2', new Error('2 failed'));
    await failure;
    expect(begun).toEqual(['1', '2', '3']);
  });

  it('bring what several ask for once, when the first of them has one', async () => {
    const [, , both, also] = [ask('a1', 'a'), ask('a2', 'a'), ask('both', 'a'), ask('both', 'b')];
    await end('a1');
    await end('a2');
    await end('both');
    expect(await Promise.all([both, also])).toEqual(['both', 'both']);
    const late = ask('b1', 'b');
    expect(begun).toEqual(['a1', 'a2', 'both', 'b1']);
    const later = ask('b1', 'c');
    await end('b1');
    expect([await late, await later, begun.length]).toEqual(['b1', 'b1', 4]);
  });

  it('are not taken for what nobody waits for any more, and are for what somebody does', async () => {
    const gone = new AbortController();
    const [under, nobody, somebody] = [
      ask('1', 'a', gone.signal),
      ask('2', 'a', gone.signal),
      ask('3', 'a', gone.signal),
    ];
    const other = ask('3', 'b');
    gone.abort(new Error('gone'));
    for (const one of [under, nobody, somebody]) await expect(one).rejects.toThrow('gone');
    expect(turns.waiting).toBe(1);
    await expect(ask('4', 'a', gone.signal)).rejects.toThrow('gone');
    await end('1');
    await end('3');
    expect(await other).toBe('3');
    expect(begun).toEqual(['1', '3']);
    // Neither left anything behind.
    void ask('2', 'a');
    expect(begun).toEqual(['1', '3', '2']);
  });

  it('are waited for by so many of one and of all; who waits for nothing else always may', async () => {
    void ask('under way', 'x');
    for (const name of ['1', '2', '3']) void ask(name, 'a');
    await expect(ask('4', 'a')).rejects.toMatchObject(refused);
    expect(turns.waiting).toBe(3);
    void ask('5', 'b');
    await expect(ask('6', 'b')).rejects.toMatchObject(refused);
    void ask('7', 'c');
    expect(turns.waiting).toBe(5);
    void ask('under way', 'a');
    expect(begun).toEqual(['under way']);
  });

  it('come to nobody once they have ended', async () => {
    const [under, waiting] = [ask('1', 'a'), ask('2', 'a')];
    turns.end();
    await expect(waiting).rejects.toMatchObject(refused);
    await expect(ask('3', 'b')).rejects.toMatchObject(refused);
    await end('1');
    expect([await under, begun, turns.waiting]).toEqual(['1', ['1'], 0]);
  });
});
