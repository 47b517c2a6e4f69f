import { compareKeys } from '#read-models/compare-keys';
import { encodeKey } from '#read-models/key-encoding';
import type { Key, ReadModelStore, Row, Write } from '#read-models/read-model-store';
import { pagesOf } from './checksums.js';
import type { Generation } from './generation.js';
import { Turn } from './turn.js';

/** How a rebuilt generation differs from the one it replaced, at the position where it did. */
export interface Comparison {
  readonly generation: number;
  readonly replaced: number;
  /** Rows compared; those written since the switch are left out. */
  readonly rows: number;
  readonly differences: number;
  /** Rows that differ, and may: they say something of what is gone from the log since they were written. */
  readonly forgotten?: number;
  /** Some of the differing rows: collection and key. */
  readonly examples: readonly (readonly string[])[];
}

const MOST_EXAMPLES = 10;

/** Notes the rows that are written, where they are to be left out of a comparison. */
export function noteTouched({ touched }: Generation, writes: readonly Write[]): void {
  if (touched === undefined) return;
  for (const { collection, key } of writes) touched.add(touchedName(collection, key));
}

/** The name of a row in `Generation.touched`. */
function touchedName(physical: string, key: Key): string {
  return `${physical}\n${encodeKey(key)}`;
}

/**
 * Compares row by row the generation that was replaced, which no longer moves, with the one that serves now. The serving one
 * moves on meanwhile: its `touched` must be set since the switch, and rows named there are left out.
 */
export async function compareGenerations(
  store: ReadModelStore,
  serving: Generation,
  replaced: Generation,
): Promise<Comparison> {
  let rows = 0;
  let differences = 0;
  const examples: string[][] = [];
  const turn = new Turn();
  for (const [logical, physical] of serving.physical) {
    const former = replaced.physical.get(logical);
    const pairs = pairRows(pagesOf(store, physical), former === undefined ? [] : pagesOf(store, former));
    for await (const [now, then] of pairs) {
      if (turn.isOver()) await turn.pass();
      const { key } = (now ?? then)!;
      if (serving.touched?.has(touchedName(physical, key))) continue;
      rows++;
      if (now?.value === then?.value) continue;
      differences++;
      if (examples.length < MOST_EXAMPLES) examples.push([logical, ...key]);
    }
  }
  const compared = { generation: serving.generation, replaced: replaced.generation, rows };
  return serving.hasGone === true
    ? { ...compared, differences: 0, forgotten: differences, examples: [] }
    : { ...compared, differences, examples };
}

type Pages = AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>;

/** Rows of the same key side by side, in order; undefined where one side has none. */
async function* pairRows(left: Pages, right: Pages): AsyncIterable<[Row | undefined, Row | undefined]> {
  const a = flatten(left);
  const b = flatten(right);
  let [l, r] = [await a.next(), await b.next()];
  while (l.done !== true || r.done !== true) {
    const order = l.done === true ? 1 : r.done === true ? -1 : compareKeys(l.value.key, r.value.key);
    yield [order <= 0 ? (l.value as Row) : undefined, order >= 0 ? (r.value as Row) : undefined];
    if (order <= 0) l = await a.next();
    if (order >= 0) r = await b.next();
  }
}

async function* flatten(pages: Pages): AsyncGenerator<Row, undefined> {
  for await (const page of pages) yield* page;
  return undefined;
}
