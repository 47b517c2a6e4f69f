import type { Distance } from '#event-store/event-store';
import type { Comparison } from '#projections/compare-generations';
import type { DeadLetter } from '#projections/dead-letters';
import type { GenerationStatus, ProjectionStatus } from '#projections/projection-status';
import { table } from '../terminal/table.js';
import { count, counted, duration, moment, size } from '../terminal/units.js';

const HEAD = ['NAME', 'STATE', 'VERSION', 'GENERATION', 'BEHIND', 'FACTS/S', 'LEFT', 'DEAD LETTERS'];

/** All projections as a table. */
export function projectionsTable(statuses: readonly ProjectionStatus[]): string[] {
  return table(HEAD, statuses.map(rowOf));
}

function rowOf(status: ProjectionStatus): string[] {
  const { name, version, serving, factsPerSecond, secondsLeft, deadLetters } = status;
  return [
    name,
    stateOf(status),
    serving.version === version ? `${version}` : `${serving.version} (code: ${version})`,
    `${serving.generation}`,
    behindText(serving.behind),
    count(factsPerSecond),
    secondsLeft === undefined ? '' : duration(secondsLeft),
    deadLetters === 0 ? '' : count(deadLetters),
  ];
}

function stateOf({ state, next, facts }: ProjectionStatus): string {
  if (state === 'rebuilding') return `rebuilding ${share(facts)}`;
  if (next?.state === 'ready') return `${state}, generation ${next.generation} is ready`;
  return state;
}

function share({ done, of }: ProjectionStatus['facts']): string {
  return of <= 0 ? '' : `${Math.floor((Math.min(done, of) / of) * 100)} %`;
}

/** Under the heading "behind" facts need no unit. */
function behindText({ amount, unit }: Distance): string {
  return unit === 'facts' ? count(amount) : size(amount);
}

/** A stretch of the log, in words. */
export function distanceText({ amount, unit }: Distance): string {
  return unit === 'facts' ? counted(amount, 'fact') : size(amount);
}

/** One projection in lines. */
export function projectionLines(status: ProjectionStatus): string[] {
  const { name, version, serving, next, previous, head, facts, factsPerSecond, secondsLeft } = status;
  const rows: [string, string][] = [
    ['projection', name],
    ['state', stateOf(status)],
    ['version of the code', `${version}`],
    ['serves', generationOf(serving)],
  ];
  if (next !== undefined) {
    rows.push([
      'next',
      `${generationOf(next)}, ${next.state}${next.switchByHand ? ', to be switched to by hand' : ''}`,
    ]);
  }
  if (previous !== undefined) rows.push(['previous', generationOf(previous)]);
  rows.push(['head of the log', `${head}, ${distanceText(serving.behind)} ahead`]);
  if (next !== undefined) rows.push(['facts', `${count(facts.done)} of ${count(facts.of)}`]);
  if (factsPerSecond > 0) rows.push(['speed', `${count(factsPerSecond)} facts a second`]);
  if (secondsLeft !== undefined) rows.push(['left', duration(secondsLeft)]);
  if (status.paused !== undefined) rows.push(['paused', `${status.paused.reason}, ${moment(status.paused.at)}`]);
  if (status.lastError !== undefined) rows.push(['last error', status.lastError]);
  if (status.deadLetters > 0) rows.push(['dead letters', `${count(status.deadLetters)}: a rebuild tries them again`]);
  if (status.comparison !== undefined) rows.push(['last comparison', comparisonText(status.comparison)]);
  const width = Math.max(...rows.map(([title]) => title.length));
  return rows.map(([title, text]) => `${title.padEnd(width)}  ${text}`);
}

function generationOf({ generation, version, position }: GenerationStatus): string {
  return `generation ${generation} of version ${version}, at position ${position}`;
}

/** What a rebuild and what it replaced have in common, in words. */
export function comparisonText({
  generation,
  replaced,
  rows,
  differences,
  forgotten = 0,
  examples,
}: Comparison): string {
  const what = `generation ${generation} against ${replaced}`;
  if (forgotten > 0)
    return `${what}: ${count(forgotten)} of ${counted(rows, 'row')} differ, for they tell of what is gone from the log since`;
  if (differences === 0) return `${what}: ${counted(rows, 'row')}, all the same`;
  const some = examples.map((example) => example.join(' ')).join('; ');
  return `${what}: ${count(differences)} of ${counted(rows, 'row')} differ, such as ${some}`;
}

/** A dead letter as a line. */
export function deadLetterLine({ projection, position, stream, revision, type, error, at }: DeadLetter): string {
  const reason = error.split('\n', 1)[0] ?? '';
  return `${moment(at)}  ${projection}  ${stream} revision ${revision} (${type}, position ${position}): ${reason}`;
}
