import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { readPassword, type PasswordInput } from './read-password.js';

/** A terminal on which somebody types. */
function typing(text: string): PasswordInput & { readonly raw: boolean[]; shown(): string } {
  const raw: boolean[] = [];
  const output = new PassThrough();
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => raw.push(on) });
  // Typed in one go: what follows the first line is for the second question.
  const lines = text.split('\n');
  input.on('resume', () => {
    const line = lines.shift();
    if (line !== undefined) setImmediate(() => input.write(lines.length > 0 ? `${line}\r` : line));
  });
  return { input, output, raw, shown: () => String(output.read() ?? '') };
}

function piped(text: string): PasswordInput {
  const input = new PassThrough();
  input.end(text);
  return { input, output: new PassThrough() };
}

describe('a password', () => {
  test('is asked for twice, hidden, and can be corrected', async () => {
    const streams = typing('sesaX\u007fme\nsesame\n');
    await expect(readPassword('prompt', streams)).resolves.toEqual({ password: 'sesame', isGenerated: false });
    expect(streams.shown()).toBe('Password: \nOnce more: \n');
    expect(streams.raw).toEqual([true, false, true, false]);
  });

  test('must be the same twice', async () => {
    await expect(readPassword('prompt', typing('one\ntwo\n'))).rejects.toThrow('not the same');
  });

  test('is not waited for once Ctrl-C is pressed', async () => {
    await expect(readPassword('prompt', typing('on\u0003'))).rejects.toMatchObject({ exitCode: 130 });
  });

  test('is read whole from standard input, without the line end', async () => {
    await expect(readPassword('stdin', piped('two words ü\r\n'))).resolves.toMatchObject({ password: 'two words ü' });
    await expect(readPassword('stdin', piped(' spaces count '))).resolves.toMatchObject({ password: ' spaces count ' });
    await expect(readPassword('stdin', piped('\n'))).rejects.toThrow('no password');
    await expect(readPassword('stdin', piped('x'.repeat(100_000)))).rejects.toThrow('does not end');
  });

  test('is not asked for where there is nobody', async () => {
    await expect(readPassword('prompt', piped('sesame\n'))).rejects.toThrow('--password-stdin');
  });

  test('is made up at random', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => readPassword('generate', piped(''))));
    expect(new Set(made.map(({ password }) => password)).size).toBe(20);
    for (const each of made) {
      expect(each.isGenerated).toBe(true);
      expect(each.password).toMatch(/^[A-Za-z2-9]{22}$/);
    }
  });
});
