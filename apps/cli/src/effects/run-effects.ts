import type { EffectLetter } from '#projections/effects/effect-facts';
import type { EffectStatus } from '#projections/effects/effect';
import { EffectCommandRefused, EffectNotes } from '#projections/effects/effect-notes';
import { systemClock } from '#kernel/clock';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { openToWrite } from '../open-to-write.js';
import { callServer } from '../projections/remote-projections.js';
import { table } from '../terminal/table.js';
import type { Terminal } from '../terminal/terminal.js';
import { count, duration, moment } from '../terminal/units.js';

export interface PrintOptions {
  readonly json: boolean;
}

const HEAD = ['NAME', 'RUNS', 'WAITING', 'SINCE', 'FAILURES', 'DEAD LETTERS'];

/** `effects list`: how the effects of the running server do. */
export async function listEffects(
  installation: Installation,
  terminal: Terminal,
  { json }: PrintOptions,
): Promise<ExitCode> {
  const client = await installation.connect();
  if (client === undefined) {
    throw new CliFailure('the server is not running: nothing follows from its facts; see: annals effects dead-letters');
  }
  try {
    const statuses = await callServer<EffectStatus[]>(client, 'effects.list');
    for (const line of json ? statuses.map((each) => JSON.stringify(each)) : table(HEAD, statuses.map(rowOf))) {
      await terminal.line(line);
    }
    return EXIT.ok;
  } finally {
    client.close();
  }
}

function rowOf({ name, runs, waiting, waitingSince, failures, deadLetters }: EffectStatus): string[] {
  const since = waitingSince === undefined ? '' : duration(Math.max(0, systemClock.now() - waitingSince) / 1000);
  return [name, runs, count(waiting), since, count(failures), deadLetters === 0 ? '' : count(deadLetters)];
}

/** `effects dead-letters [NAME]`: exit code 1 where there are any. */
export async function listEffectLetters(
  installation: Installation,
  terminal: Terminal,
  effect: string | undefined,
  { json }: PrintOptions,
): Promise<ExitCode> {
  const letters = await readLetters(installation, effect);
  for (const letter of letters) await terminal.line(json ? JSON.stringify(letter) : letterLine(letter));
  return letters.length === 0 ? EXIT.ok : EXIT.found;
}

async function readLetters(installation: Installation, effect: string | undefined): Promise<EffectLetter[]> {
  const client = await installation.connect();
  if (client !== undefined) {
    try {
      return await callServer<EffectLetter[]>(client, 'effects.dead-letters', { name: effect });
    } finally {
      client.close();
    }
  }
  const store = await installation.openLogToRead();
  try {
    return await new EffectNotes(store, systemClock).letters(effect);
  } finally {
    await store.close();
  }
}

function letterLine({ effect, fact, stream, revision, type, error, at, retrying }: EffectLetter): string {
  const reason = error.split('\n', 1)[0] ?? '';
  const state = retrying === true ? ' (is tried again)' : '';
  return `${moment(at)}  ${effect}  ${fact}  ${stream} revision ${revision} (${type}): ${reason}${state}`;
}

const DONE = {
  retry: { running: 'tried again', stopped: 'tried again when the server starts' },
  drop: { running: 'dropped', stopped: 'dropped' },
} as const;

/** `effects retry NAME [FACT]` and `effects drop NAME [FACT]`: exit code 1 where there is nothing like that. */
export async function settleEffectLetters(
  installation: Installation,
  terminal: Terminal,
  command: keyof typeof DONE,
  { effect, fact }: { readonly effect: string; readonly fact: string | undefined },
): Promise<ExitCode> {
  const client = await installation.connect();
  try {
    if (client !== undefined) await callServer(client, `effects.${command}`, { name: effect, fact });
    else {
      await openToWrite(installation.config, async (store) => {
        await new EffectNotes(store, systemClock)[command](effect, fact);
      });
    }
  } catch (error) {
    if (error instanceof EffectCommandRefused) throw new CliFailure(error.message, EXIT.found);
    throw error;
  } finally {
    client?.close();
  }
  const which = fact === undefined ? `the dead letters of ${effect} are` : `the dead letter of the fact ${fact} is`;
  await terminal.line(`${which} ${DONE[command][client === undefined ? 'stopped' : 'running']}`);
  return EXIT.ok;
}
