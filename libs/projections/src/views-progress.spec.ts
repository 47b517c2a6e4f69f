import { expect, it } from 'vitest';
import { START } from '#kernel/position';
import { positionOf } from '#testing/position-of';
import { countsProjector, wordsProjector } from './example-projectors.js';
import { firstRecord, Projection } from './projection.js';
import { ViewsProgress } from './views-progress.js';

it('says once who keeps views from being read that are made anew, where that one is paused, and once that it does not', () => {
  const words = new Projection(wordsProjector(), firstRecord(wordsProjector(), START));
  const counts = new Projection(countsProjector(), firstRecord(countsProjector(), START));
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  const log = { info: say, warn: say, error: say };
  const progress = new ViewsProgress([words.projector, counts.projector], {}, log);
  progress.take(new Map([words, counts].map((each) => [each.name, each])), positionOf(2));
  counts.serving.at = START;
  progress.moveTo(START);
  expect(lines).toEqual([]);
  counts.paused = { reason: 'looks wrong', at: 7 };
  for (const position of [1, 2, 3]) progress.moveTo(positionOf(position));
  expect(progress.readable).toBeUndefined();
  expect(lines).toEqual([expect.stringMatching(/nothing is read before counts goes on, which is paused$/)]);
  counts.paused = undefined;
  counts.serving.at = 'live';
  progress.moveTo(positionOf(4));
  expect(progress.readable).toBeDefined();
  expect(lines.slice(1)).toEqual(['The views are not held up any more by what is paused']);
});
