import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { watchTurns } from './watch-turns.js';

/*
 * Loaded into a process before its program (`node --import`): watches the turns of its event loop from SIGUSR2 on, and writes what it
 * saw into the file that BENCH_TURNS names once the process ends.
 */

const { BENCH_TURNS: file, BENCH_MAX_TURN_MS: most } = process.env;
if (isMainThread && file !== undefined) {
  let turns: ReturnType<typeof watchTurns> | undefined;
  process.on('SIGUSR2', () => (turns = watchTurns(Number(most))));
  process.on('exit', () => writeFileSync(file, JSON.stringify(turns?.stop() ?? {})));
}
