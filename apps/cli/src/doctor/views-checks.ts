import type { Config } from '#config/config';
import { WHY_ANEW } from '#projections/begin-anew';
import type { ProjectionStatus } from '#projections/projection-status';
import { messageOf } from '#kernel/message-of';
import type { Installation } from '../installation.js';
import { readProjections } from '../projections/open-projections.js';
import { distanceText } from '../projections/print-projections.js';
import { counted } from '../terminal/units.js';
import { type Check, fail, ok, warn } from './check.js';

const NAME = 'views';
/** What a running server is behind at any moment is no lag. */
const MUCH = { facts: 1000, bytes: 1024 * 1024 };

/** Whether the database of the views answers; nothing where they are embedded. */
export async function checkDatabase({ readModelsUrl }: Pick<Config, 'readModelsUrl'>): Promise<Check[]> {
  if (readModelsUrl === undefined) return [];
  try {
    const { openMongoReadModels } = await import('#read-models/mongodb/mongodb-read-model-store');
    const readModels = await openMongoReadModels(readModelsUrl, { readOnly: true });
    await readModels.close();
    return [ok('database', 'answers')];
  } catch (error) {
    return [fail('database', messageOf(error), 'start it, or set ANNALS_READ_MODELS_URL')];
  }
}

/** How the projections do. */
export async function checkViews(installation: Installation): Promise<Check[]> {
  try {
    return await readProjections(installation, async (projections, isRunning) => {
      const { foreign, anew = [] } = projections;
      if (foreign !== undefined) return [warn(NAME, `they ${foreign}`, 'the next start rebuilds them from the log')];
      const behind = anew.map((name) => warn(`projection ${name}`, WHY_ANEW, 'the next start fills it anew'));
      return [...judgeProjections(await projections.list(), isRunning), ...behind];
    });
  } catch (error) {
    const advice = 'stop the server, delete the views and start again: they are rebuilt from the log';
    return [fail(NAME, messageOf(error), advice)];
  }
}

/** The projections that need somebody, and a line about the others. */
export function judgeProjections(statuses: readonly ProjectionStatus[], isRunning: boolean): Check[] {
  const checks = statuses.flatMap(judgeProjection);
  const [worst] = statuses.map(({ serving }) => serving.behind).toSorted((a, b) => b.amount - a.amount);
  const lag = worst?.amount ?? 0;
  const where = worst === undefined || lag === 0 ? 'all at the head of the log' : `${distanceText(worst)} behind`;
  const text = `${counted(statuses.length, 'projection')}, ${where}`;
  const isLate = isRunning && worst !== undefined && lag > MUCH[worst.unit] && checks.length === 0;
  const advice = 'wait and look again (annals projections list): if it grows, the server is too slow for its load';
  return [
    isLate
      ? warn(NAME, text, advice)
      : ok(NAME, isRunning || lag === 0 ? text : `${text}: they follow when the server starts`),
    ...checks,
  ];
}

function judgeProjection({ name, state, deadLetters, lastError, paused, next, comparison }: ProjectionStatus): Check[] {
  const checks: Check[] = [];
  const title = `projection ${name}`;
  if (state === 'failed') {
    const advice = `the views before it still serve; mend the cause, then: annals projections resume ${name}`;
    checks.push(fail(title, `its rebuild has failed: ${lastError ?? next?.state ?? ''}`, advice));
  }
  if (paused !== undefined) checks.push(warn(title, `paused: ${paused.reason}`, `annals projections resume ${name}`));
  if (deadLetters > 0) {
    const advice = `see: annals projections dead-letters ${name}; then: annals projections rebuild ${name}`;
    checks.push(fail(title, `${counted(deadLetters, 'fact')} could not be taken`, advice));
  }
  if (comparison !== undefined && comparison.differences > 0) {
    const advice = `its projector is not repeatable or the views were damaged: annals projections status ${name}`;
    checks.push(warn(title, `${counted(comparison.differences, 'row')} differed after the last rebuild`, advice));
  }
  if (next?.state === 'ready') {
    checks.push(warn(title, `generation ${next.generation} waits`, `annals projections switch ${name}`));
  }
  return checks;
}
