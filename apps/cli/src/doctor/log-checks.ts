import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { EventStore } from '#event-store/event-store';
import { findLogIdentity, type LogIdentity } from '#event-store/log-identity';
import { systemClock } from '#kernel/clock';
import { type Position, START } from '#kernel/position';
import type { EffectLetter } from '#projections/effects/effect-facts';
import { EffectNotes } from '#projections/effects/effect-notes';
import { findHeldFrom } from '#projections/held-clock';
import { CliFailure, EXIT } from '../failure.js';
import { messageOf } from '#kernel/message-of';
import { type Installation, LOG_FILE } from '../installation.js';
import { serverOfLog } from '../server-of-log.js';
import { counted, size } from '../terminal/units.js';
import { type Check, fail, ok, warn } from './check.js';

/** What the log says about the rest. */
export interface LogState {
  readonly check: Check;
  readonly head?: Position;
  /** When its last fact was decided, in milliseconds. */
  readonly lastAt?: number;
  /** From when on the clock is believed, in milliseconds; undefined where nothing was noted of it. */
  readonly clockHeldFrom?: number;
  readonly server?: string;
  /** What the log says about itself. */
  readonly identity?: LogIdentity;
  /** The facts whose effect was given up. */
  readonly effectLetters?: readonly EffectLetter[];
}

const NAME = 'log';

/** Reads the end of the log. */
export async function lookAtLog(installation: Installation): Promise<LogState> {
  const { config } = installation;
  const file = join(config.dataDir, 'log', LOG_FILE);
  const isEmbedded = config.eventStoreUrl === undefined;
  const stats = statSync(file, { throwIfNoEntry: false });
  if (isEmbedded && stats === undefined) {
    return { check: ok(NAME, 'none yet: the first start makes it'), head: START };
  }
  let store: EventStore | undefined;
  try {
    store = await installation.openAnyLogToRead();
    const last = await store.findLast();
    const head = last?.position ?? START;
    const lastAt = last?.metadata.at;
    const where = isEmbedded ? `${size(stats?.size ?? 0)} in ${file}` : 'in the event store';
    const check = ok(NAME, `readable up to position ${head}, ${where}`);
    const effectLetters = await new EffectNotes(store, systemClock).letters();
    const identity = await findLogIdentity(store);
    const clockHeldFrom = await findHeldFrom(store, systemClock.now());
    return { check, head, lastAt, clockHeldFrom, server: await serverOfLog(store), identity, effectLetters };
  } catch (error) {
    if (error instanceof CliFailure && error.exitCode === EXIT.config) {
      return { check: fail(NAME, error.message, 'put right what it says; a backup would not help') };
    }
    const advice = isEmbedded
      ? 'run "annals verify" to see what is left, then restore log/ from a backup'
      : 'start the event store, or set ANNALS_EVENT_STORE_URL';
    return { check: fail(NAME, messageOf(error), advice) };
  } finally {
    await store?.close();
  }
}

/** Whether everything has followed that should have. */
export function checkEffects(letters: readonly EffectLetter[]): Check {
  if (letters.length === 0) return ok('effects', 'nothing was given up');
  const effects = [...new Set(letters.map(({ effect }) => effect))].join(', ');
  return warn(
    'effects',
    `${effects}: what follows from ${counted(letters.length, 'fact')} was given up`,
    'see: annals effects dead-letters; then: annals effects retry',
  );
}
