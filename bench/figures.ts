/** One line of the table: what was measured, against what it is held, and what was aimed at. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The floor or the peer, measured in the same run. */
  readonly floor?: number;
  readonly floorName?: string;
  readonly aim: string;
  readonly reached: boolean;
}

/** A figure that is to be at least a part of its floor, and at least `least` where that is given. */
export function ofFloor(
  name: string,
  unit: string,
  value: number,
  floor: { name: string; value: number },
  part: number,
  least = 0,
): Figure {
  const aim = `>= 1/${Math.round(1 / part)} of the floor${least > 0 ? `, >= ${least}` : ''}`;
  const reached = value >= floor.value * part && value >= least;
  return { name, value, unit, floor: floor.value, floorName: floor.name, aim, reached };
}

/** A figure that is to take so many times its floor at most. */
export function timesFloor(
  name: string,
  unit: string,
  value: number,
  floor: { name: string; value: number },
  most: number,
): Figure {
  const aim = `<= ${most} times the floor`;
  return { name, value, unit, floor: floor.value, floorName: floor.name, aim, reached: value <= floor.value * most };
}

/** A figure that is to stay under a limit. */
export function under(name: string, unit: string, value: number, limit: number): Figure {
  return { name, value, unit, aim: `< ${limit} ${unit}`, reached: value < limit };
}

/** A figure that is to be above a limit. */
export function above(name: string, unit: string, value: number, limit: number): Figure {
  return { name, value, unit, aim: `> ${limit} ${unit}`, reached: value > limit };
}

/** The p-th percentile of some values. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))] ?? Number.NaN;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The table for people. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.reached ? 'ok' : 'SHORT',
    figure.name,
    `${short(figure.value)} ${figure.unit}`,
    figure.floor === undefined ? '' : `${short(figure.floor)} (${figure.floorName})`,
    figure.floor === undefined ? '' : `${(figure.value / figure.floor).toFixed(2)}`,
    figure.aim,
  ]);
  const all = [['', 'what', 'result', 'floor or peer', 'ratio', 'aim'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
