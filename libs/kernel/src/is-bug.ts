/** What the language throws where a program is wrong. What goes wrong around it (a disk, a port, a file) is a plain Error. */
const BUGS = [TypeError, ReferenceError, RangeError, SyntaxError];

/**
 * Whether an error is a mistake of ours, whose stack is wanted, and not one of the machine or of those who look after it, to
 * whom its message says all.
 */
export function isBug(error: unknown): boolean {
  return !(error instanceof Error) || BUGS.some((bug) => error instanceof bug);
}
