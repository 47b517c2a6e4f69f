import { WHY_ANEW } from '#projections/begin-anew';
import type { ProjectionStatus } from '#projections/projection-status';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import { Progress } from '../terminal/progress.js';
import type { Terminal } from '../terminal/terminal.js';
import { duration } from '../terminal/units.js';
import { readProjections, steerProjections } from './open-projections.js';
import { comparisonText, deadLetterLine, projectionLines, projectionsTable } from './print-projections.js';
import type { ProjectionsToRead, ProjectionsToSteer } from './remote-projections.js';
import { type RebuildOutcome, waitForRebuild } from './wait-for-rebuild.js';

export interface PrintOptions {
  readonly json: boolean;
}

const STOPPED = 'the server is not running: this is what it left';

/** `projections list`. */
export function listProjections(
  installation: Installation,
  terminal: Terminal,
  { json }: PrintOptions,
): Promise<ExitCode> {
  return readProjections(installation, async (projections, isRunning) => {
    const statuses = await projections.list();
    if (!isRunning && !json) noteStopped(terminal, projections);
    const lines = json ? statuses.map((status) => JSON.stringify(status)) : projectionsTable(statuses);
    for (const line of lines) await terminal.line(line);
    return EXIT.ok;
  });
}

function noteStopped(terminal: Terminal, { foreign, anew = [] }: ProjectionsToRead): void {
  terminal.note(STOPPED);
  if (foreign !== undefined) terminal.note(`the views ${foreign}: the next start rebuilds them from the log`);
  for (const name of anew) terminal.note(`${name}: ${WHY_ANEW}: the next start fills it anew`);
}

/** `projections status NAME`. */
export function showProjection(
  installation: Installation,
  terminal: Terminal,
  name: string,
  { json }: PrintOptions,
): Promise<ExitCode> {
  return readProjections(installation, async (projections, isRunning) => {
    const status = await projections.status(name);
    if (!isRunning && !json) noteStopped(terminal, projections);
    for (const line of json ? [JSON.stringify(status)] : projectionLines(status)) await terminal.line(line);
    return EXIT.ok;
  });
}

/** `projections dead-letters [NAME]`: exit code 1 where there are any. */
export function listDeadLetters(
  installation: Installation,
  terminal: Terminal,
  name: string | undefined,
  { json }: PrintOptions,
): Promise<ExitCode> {
  return readProjections(installation, async (projections) => {
    const letters = await projections.deadLetters(name);
    for (const letter of letters) await terminal.line(json ? JSON.stringify(letter) : deadLetterLine(letter));
    return letters.length === 0 ? EXIT.ok : EXIT.found;
  });
}

/** `projections checksum [NAME]`: rows and checksum of every collection that serves. */
export function showChecksums(
  installation: Installation,
  terminal: Terminal,
  name: string | undefined,
  { json }: PrintOptions,
): Promise<ExitCode> {
  return readProjections(installation, async (projections) => {
    const names = name === undefined ? (await projections.list()).map((status) => status.name) : [name];
    for (const projection of names) {
      for (const [collection, { rows, sum }] of Object.entries(await projections.checksum(projection))) {
        const line = { projection, collection, rows, sum };
        await terminal.line(
          json ? JSON.stringify(line) : `${sum}  ${String(rows).padStart(10)}  ${projection}.${collection}`,
        );
      }
    }
    return EXIT.ok;
  });
}

export interface RebuildCommandOptions {
  readonly byHand: boolean;
  readonly fromStart: boolean;
  /** Whether to wait for its end; on a stopped server there is nobody else to do it. */
  readonly wait: boolean;
  readonly signal: AbortSignal;
}

/** `projections rebuild NAME`. */
export function rebuildProjection(
  installation: Installation,
  terminal: Terminal,
  name: string,
  { byHand, fromStart, wait, signal }: RebuildCommandOptions,
): Promise<ExitCode> {
  return steerProjections(installation, terminal, 'start', async (projections, isRunning) => {
    // What an interrupted command has begun goes on with the start.
    const goesOn = !isRunning && !fromStart && (await projections.status(name)).next?.state === 'filling';
    if (!goesOn) await projections.rebuild(name, { switchByHand: byHand, fromStart });
    if (isRunning && !wait) {
      terminal.note(`${name} is being rebuilt; see: annals projections status ${name}`);
      return EXIT.ok;
    }
    const progress = new Progress(terminal, name);
    const onStatus = ({ facts }: ProjectionStatus): void => progress.show(facts);
    const outcome = await waitForRebuild(projections, name, onStatus, signal).catch((error: unknown) => {
      throw signal.aborted ? interrupted(name, isRunning) : error;
    });
    return tellOutcome(terminal, name, outcome, progress.finish());
  });
}

function interrupted(name: string, isRunning: boolean): CliFailure {
  const goesOn = isRunning
    ? `the server goes on with it; to stop it: annals projections cancel ${name}`
    : 'it goes on with the next start';
  return new CliFailure(`${name} is not rebuilt yet: ${goesOn}`, EXIT.interrupted);
}

async function tellOutcome(
  terminal: Terminal,
  name: string,
  outcome: RebuildOutcome,
  seconds: number,
): Promise<ExitCode> {
  if (outcome.kind === 'ended') throw new CliFailure(`${name} was not rebuilt: ${outcome.reason}`, EXIT.found);
  if (outcome.kind === 'ready') {
    await terminal.line(
      `${name}: generation ${outcome.status.next?.generation} is ready; annals projections switch ${name}`,
    );
    return EXIT.ok;
  }
  const { status, comparison } = outcome;
  await terminal.line(`${name}: generation ${status.serving.generation} serves, rebuilt in ${duration(seconds)}`);
  await terminal.line(
    comparison === undefined ? 'not compared: what it replaced was of another version' : comparisonText(comparison),
  );
  return comparison === undefined || comparison.differences === 0 ? EXIT.ok : EXIT.found;
}

export type SimpleCommand = 'resume' | 'cancel' | 'switch' | 'rollback';

const DONE: Readonly<Record<SimpleCommand | 'pause', string>> = {
  pause: 'is paused',
  resume: 'goes on',
  cancel: 'is no longer being rebuilt; what was done is kept',
  switch: 'serves its new generation, or will as soon as it is filled',
  rollback: 'serves its former generation again, as soon as that has caught up',
};

/** `projections resume|cancel|switch|rollback NAME`. */
export function changeProjection(
  installation: Installation,
  terminal: Terminal,
  name: string,
  command: SimpleCommand,
): Promise<ExitCode> {
  return change(installation, terminal, name, command, (projections) => projections[command](name));
}

/** `projections pause NAME --reason TEXT`. */
export function pauseProjection(
  installation: Installation,
  terminal: Terminal,
  name: string,
  reason: string,
): Promise<ExitCode> {
  return change(installation, terminal, name, 'pause', (projections) => projections.pause(name, reason));
}

function change(
  installation: Installation,
  terminal: Terminal,
  name: string,
  command: SimpleCommand | 'pause',
  work: (projections: ProjectionsToSteer) => Promise<void>,
): Promise<ExitCode> {
  return steerProjections(installation, terminal, 'load', async (projections, isRunning) => {
    await work(projections);
    await terminal.line(`${name} ${DONE[command]}${isRunning ? '' : ' (from the next start of the server on)'}`);
    return EXIT.ok;
  });
}
