const CODES = new Set(['ENOSPC', 'EDQUOT']);

/** The disk has no room for a file that is needed, whatever is in others. One line. */
export class NoRoom extends Error {
  constructor(file: string, { message }: Error, options?: ErrorOptions) {
    super(`${file} cannot be made: ${message}`, options);
    this.name = 'NoRoom';
  }
}

/** Whether the system says that there is no room. */
export function saysNoRoom(error: unknown): error is Error {
  return CODES.has(String((error as { code?: unknown }).code));
}
