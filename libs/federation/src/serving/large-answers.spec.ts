import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { EventId, ServerName } from '#kernel/ids';
import type { PduEntry } from '#rooms/queries/auth-chain';
import { inOrder, listText, pduText } from './json-texts.js';
import { LargeAnswers } from './large-answers.js';

const B = 'b.example' as ServerName;

async function* pages(): AsyncGenerator<readonly PduEntry[], void> {
  const entry = (pdu: string): PduEntry => ['$a' as EventId, pdu];
  yield [];
  yield [entry('1'), entry('2')];
  yield [];
  yield [entry('3')];
}

async function* endless(): AsyncGenerator<string, void> {
  for (;;) yield 'x'.repeat(10_000);
}

afterEach(() => {
  vi.useRealTimers();
});

describe('answers as large as a room', () => {
  it('are put together of pages, of which some may be empty', async () => {
    expect(
      await text((await new LargeAnswers().send(B, inOrder(['[', listText(pages(), pduText), ']']))).getStream()),
    ).toBe('[1,2,3]');
  });

  it('are few for one server at a time, and others when one has ended', async () => {
    const answers = new LargeAnswers();
    const running = await Promise.all([1, 2, 3].map(() => answers.send(B, endless())));
    await expect(answers.send(B, endless())).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
    await expect(answers.send('c.example' as ServerName, endless())).resolves.toBeDefined();
    const [first] = running;
    const closed = new Promise((resolve) => first!.getStream().once('close', resolve));
    first!.getStream().destroy();
    await closed;
    await expect(answers.send(B, endless())).resolves.toBeDefined();
  });

  it('end where nobody reads them', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const answers = new LargeAnswers();
    const [stalled] = await Promise.all([1, 2, 3].map(() => answers.send(B, endless())));
    const stream = stalled!.getStream();
    const failed = new Promise((resolve) => stream.once('error', resolve));
    await vi.advanceTimersByTimeAsync(9 * 60_000);
    await expect(answers.send(B, endless())).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
    await vi.advanceTimersByTimeAsync(2 * 60_000);
    expect(await failed).toMatchObject({ message: 'It was not read in time' });
    await expect(answers.send(B, endless())).resolves.toBeDefined();
  });

  it('that fail before there is anything to send are refused, and count no more', async () => {
    const answers = new LargeAnswers();
    async function* failing(): AsyncGenerator<string, void> {
      yield 'a';
      throw new Error('lost');
    }
    for (let i = 0; i < 5; i++) await expect(answers.send(B, failing())).rejects.toThrow('lost');
  });
});
