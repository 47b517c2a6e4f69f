import { MatrixError } from '#kernel/matrix-error';

/** Throws M_BAD_JSON, naming the part of a body that is not as it must be. */
export function refuse(path: string, reason: string): never {
  throw new MatrixError('M_BAD_JSON', `${path}: ${reason}`);
}
