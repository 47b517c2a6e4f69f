import type { ProjectionStatus } from '#projections/projection-status';
import { positionNumber } from '#kernel/position';
import type { ReadModelStore } from '#read-models/read-model-store';
import type { ProjectionRuntime } from '#projections/projection-runtime';
import { readState } from '#projections/projection-records';
import { setTimeout as delay } from 'node:timers/promises';
import { CliFailure, EXIT, type ExitCode, messageOf } from '../failure.js';
import type { Installation } from '../installation.js';
import { withStoppedProjections } from '../projections/open-projections.js';
import { comparisonText } from '../projections/print-projections.js';
import { type ProjectionsToSteer, RemoteProjections } from '../projections/remote-projections.js';
import { type RebuildOutcome, waitForRebuild } from '../projections/wait-for-rebuild.js';
import { Progress } from '../terminal/progress.js';
import type { Terminal } from '../terminal/terminal.js';
import { count, counted, duration } from '../terminal/units.js';
import { shareReads } from './share-reads.js';

export interface RunReplayOptions {
  readonly json: boolean;
  /** Print the checksum of every collection in the end. */
  readonly checksums: boolean;
  readonly signal: AbortSignal;
}

/** What became of one projection. */
interface Replayed {
  readonly name: string;
  readonly ok: boolean;
  readonly text: string;
  readonly comparison?: RebuildOutcome extends infer O ? (O extends { comparison: infer C } ? C : never) : never;
}

const LOOK_EVERY_MS = 100;

/**
 * Projects the whole log again: every projection into a new generation that then serves, compared with what it replaces.
 * Where there are no views at all, they are filled. A running server does it itself, one projection after the other, and
 * answers all the while.
 */
export async function runReplay(
  installation: Installation,
  terminal: Terminal,
  options: RunReplayOptions,
): Promise<ExitCode> {
  const client = await installation.connect();
  if (client === undefined) return replayStopped(installation, terminal, options);
  try {
    const projections = new RemoteProjections(client);
    const names = (await projections.list()).map(({ name }) => name);
    const replay = new Replay(terminal, options, projections, names);
    for (const name of names) await replay.rebuild(name);
    return await replay.finish();
  } catch (error) {
    throw interruptedOr(error, options.signal, 'the server goes on with what it has begun');
  } finally {
    client.close();
  }
}

function replayStopped(installation: Installation, terminal: Terminal, options: RunReplayOptions): Promise<ExitCode> {
  const work = async (runtime: ProjectionRuntime, readModels: ReadModelStore): Promise<ExitCode> => {
    const { checkpoint, records } = await readState(readModels);
    const isEmpty = positionNumber(checkpoint) === 0 && records.size === 0;
    try {
      const names = await catchUp(runtime, terminal, options.signal);
      const replay = new Replay(terminal, options, runtime, names);
      if (isEmpty) await replay.takeAsFilled();
      else await Promise.all(names.map((name) => replay.rebuild(name)));
      return await replay.finish();
    } catch (error) {
      throw interruptedOr(error, options.signal, 'the next start goes on with it');
    }
  };
  return withStoppedProjections(installation, terminal, work, shareReads);
}

function interruptedOr(error: unknown, signal: AbortSignal, goesOn: string): unknown {
  return signal.aborted ? new CliFailure(`interrupted: ${goesOn}`, EXIT.interrupted) : error;
}
