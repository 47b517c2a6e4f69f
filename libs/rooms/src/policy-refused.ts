import { type Errcode, MatrixError } from '#kernel/matrix-error';

/** The policy of a room does not want an event of ours there: the rules of the room have not said no. */
export class PolicyRefused extends MatrixError {
  constructor(errcode: Errcode, message: string, options: ConstructorParameters<typeof MatrixError>[2] = {}) {
    super(errcode, message, options);
  }
}
