const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS: Readonly<Record<string, number>> = { s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY, y: 365 * DAY };

/** How many milliseconds a text such as `12h`, `30d` or `1y` says; undefined where it says none. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,4})([smhdwy])$/.exec(text) ?? [];
  return unit === undefined ? undefined : Number(count) * UNITS[unit]!;
}
