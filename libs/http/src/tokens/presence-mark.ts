/** Up to where a client has heard of presence: a part of its token. Numbers of another run of the server mean nothing here. */
export interface PresenceMark {
  /** The run of the server in which it was made. */
  readonly run: string;
  /** The number of the last change. */
  readonly sequence: number;
}

const MARK = /^([0-9a-f]{8})\.(\d{1,15})$/;

/** A mark as part of a token. */
export function formatPresenceMark({ run, sequence }: PresenceMark): string {
  return `${run}.${sequence}`;
}

/** Reads what `formatPresenceMark` wrote; undefined for anything else. */
export function findPresenceMark(text: string): PresenceMark | undefined {
  const [, run, sequence] = MARK.exec(text) ?? [];
  return run === undefined ? undefined : { run, sequence: Number(sequence) };
}
