/** How a check came out: `warn` can wait, `fail` cannot. */
export type Level = 'ok' | 'warn' | 'fail';

/** One thing that was looked at. */
export interface Check {
  readonly name: string;
  readonly level: Level;
  /** What was found. */
  readonly text: string;
  /** What to do about it; there for every `warn` and `fail`. */
  readonly advice?: string;
}

export const ok = (name: string, text: string): Check => ({ name, level: 'ok', text });
export const warn = (name: string, text: string, advice: string): Check => ({ name, level: 'warn', text, advice });
export const fail = (name: string, text: string, advice: string): Check => ({ name, level: 'fail', text, advice });

/** A check as a line. */
export function checkLine({ name, level, text, advice }: Check): string {
  const line = `${level.padEnd(4)}  ${name}: ${text}`;
  return advice === undefined ? line : `${line} -> ${advice}`;
}
