/** Something in the log that is not as it was written. */
export interface LogFinding {
  /** Absent where it is not about one stream. */
  readonly stream?: string;
  /** Absent where it is not about one fact. */
  readonly revision?: number;
  readonly problem: string;
}

/** Told of each finding as it is made. */
export type Report = (finding: LogFinding) => void;

/** Where the reader is about to read: if reading kills the process, this is where it happened. */
export type Place =
  | { readonly phase: 'opening' }
  | { readonly phase: 'keys' }
  | { readonly phase: 'listing'; readonly after?: string }
  | { readonly phase: 'stream'; readonly stream: string; readonly revision: number }
  | { readonly phase: 'order'; readonly position: string };

/** A finding as a line for people. */
export function describeFinding({ stream, revision, problem }: LogFinding): string {
  if (stream === undefined) return problem;
  return revision === undefined ? `${stream}: ${problem}` : `${stream} revision ${revision}: ${problem}`;
}
