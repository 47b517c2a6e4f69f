import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ProjectionRuntime } from '#projections/projection-runtime';
import type { ProjectionStatus } from '#projections/projection-status';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { readProjections, withStoppedProjections } from '../projections/open-projections.js';
import { RemoteProjections } from '../projections/remote-projections.js';
import { Progress } from '../terminal/progress.js';
import type { Terminal } from '../terminal/terminal.js';
import { isUntouched, Replay, type ReplayOptions } from './replay.js';

const LOOK_EVERY_MS = 100;

/**
 * Projects the whole log again: every projection into a new generation that then serves, compared with what it replaces.
 * Where there are no views at all, they are filled. A running server does it itself, one projection after the other, and
 * answers all the while. Exit code 1 where anything differs, or a fact cannot be projected.
 */
export async function runReplay(
  installation: Installation,
  terminal: Terminal,
  options: ReplayOptions,
): Promise<ExitCode> {
  // Every projection waits for its own end, or for this.
  setMaxListeners(0, options.signal);
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

async function replayStopped(
  installation: Installation,
  terminal: Terminal,
  options: ReplayOptions,
): Promise<ExitCode> {
  const before = await readProjections(installation, (projections) => projections.list());
  const names = before.map(({ name }) => name);
  const fillOnly = isUntouched(before);
  const work = async (runtime: ProjectionRuntime): Promise<ExitCode> => {
    try {
      if (fillOnly) {
        const replay = new Replay(terminal, options, runtime.operations, names);
        await start(runtime, (statuses) => replay.show(statuses), options.signal);
        await replay.takeAsFilled();
        return await replay.finish();
      }
      await catchUp(runtime, terminal, options.signal);
      const replay = new Replay(terminal, options, runtime.operations, names);
      await Promise.all(names.map((name) => replay.rebuild(name)));
      return await replay.finish();
    } catch (error) {
      throw interruptedOr(error, options.signal, 'the next start goes on with it');
    }
  };
  return withStoppedProjections(installation, terminal, work);
}

async function catchUp(runtime: ProjectionRuntime, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const progress = new Progress(terminal, 'catch up');
  const show = (statuses: readonly ProjectionStatus[]): void => {
    const [slowest] = statuses.toSorted((a, b) => (a.position < b.position ? -1 : 1));
    if (slowest !== undefined) progress.show({ ...slowest.facts, about: slowest.name });
  };
  await start(runtime, show, signal);
  progress.finish();
}

/** Starts the projections and tells how far they are until they have caught up. */
async function start(
  runtime: ProjectionRuntime,
  show: (statuses: readonly ProjectionStatus[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const starting = runtime.start().then(() => 'started' as const);
  // Looked at below; whoever interrupts does not wait for it.
  starting.catch(() => {});
  for (;;) {
    const first = await Promise.race([starting, delay(LOOK_EVERY_MS, 'later' as const, { signal })]);
    if (first === 'started') return;
    const statuses = await listOnceThere(runtime);
    if (statuses.length > 0) show(statuses);
  }
}

/** How far they are; nothing until what is stored has been read, which takes a while where it comes over a network. */
async function listOnceThere(runtime: ProjectionRuntime): Promise<readonly ProjectionStatus[]> {
  try {
    return await runtime.operations.list();
  } catch (error) {
    if (error instanceof ViewsUnavailable) return [];
    throw error;
  }
}

function interruptedOr(error: unknown, signal: AbortSignal, goesOn: string): unknown {
  return signal.aborted ? new CliFailure(`interrupted: ${goesOn}`, EXIT.interrupted) : error;
}
