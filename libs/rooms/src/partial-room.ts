import { MatrixError } from '#kernel/matrix-error';

/**
 * Of a room only a part of the state is here, and what is asked for needs the rest, which is being fetched. The status says that it is
 * worth another try.
 */
export class RoomIsPartial extends MatrixError {
  constructor() {
    super('M_UNKNOWN', 'Not all of this room is here yet: it is being fetched from other servers', { status: 503 });
  }
}
