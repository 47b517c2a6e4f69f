import { randomInt } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { CliFailure, EXIT } from '../failure.js';

/** Where the password comes from. Never from the command line, which everybody on the machine can see. */
export type PasswordSource = 'generate' | 'stdin' | 'prompt';

export interface PasswordInput {
  readonly input: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  /** Where the questions go. */
  readonly output: Writable;
}

export interface ChosenPassword {
  readonly password: string;
  /** Whether nobody has seen it yet: it is printed, once. */
  readonly isGenerated: boolean;
}

/** Gets a password. Throws CliFailure where there is nobody to ask. */
export async function readPassword(source: PasswordSource, streams: PasswordInput): Promise<ChosenPassword> {
  if (source === 'generate') return { password: generatePassword(), isGenerated: true };
  if (source === 'stdin') return { password: await readAll(streams.input), isGenerated: false };
  if (streams.input.isTTY !== true) {
    throw new CliFailure(
      'nobody to ask for a password: give one with --password-stdin, or take one with --generate-password',
    );
  }
  const password = await askHidden('Password: ', streams);
  if ((await askHidden('Once more: ', streams)) !== password) throw new CliFailure('the two are not the same');
  return { password, isGenerated: false };
}

/** Letters and digits that nobody takes for each other: with 22 of them some 125 bits. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const GENERATED_LENGTH = 22;

function generatePassword(): string {
  return Array.from({ length: GENERATED_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}

const MOST_BYTES = 64 * 1024;

/** All of the input but the line end that `echo` adds. */
async function readAll(input: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    const buffer = Buffer.from(chunk as Uint8Array | string);
    bytes += buffer.length;
    if (bytes > MOST_BYTES) throw new CliFailure('that is no password: it does not end');
    chunks.push(buffer);
  }
  const password = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (password === '') throw new CliFailure('there is no password on standard input');
  return password;
}

const ENTER = new Set(['\r', '\n', '\u0004']);
const ERASE = new Set(['\u007f', '\b']);
const INTERRUPT = '\u0003';

/** Asks for a line that is not shown. */
function askHidden(question: string, { input, output }: PasswordInput): Promise<string> {
  return new Promise((resolve, reject) => {
    const typed: string[] = [];
    const end = (): void => {
      input.off('data', onData);
      input.setRawMode?.(false);
      input.pause();
      output.write('\n');
    };
    const onData = (chunk: Buffer | string): void => {
      for (const character of chunk.toString()) {
        if (ENTER.has(character)) {
          end();
          return resolve(typed.join(''));
        }
        if (character === INTERRUPT) {
          end();
          return reject(new CliFailure('interrupted', EXIT.interrupted));
        }
        if (ERASE.has(character)) typed.pop();
        else typed.push(character);
      }
    };
    // First of all: from the question on nothing is shown.
    input.setRawMode?.(true);
    output.write(question);
    input.on('data', onData);
    input.resume();
  });
}
