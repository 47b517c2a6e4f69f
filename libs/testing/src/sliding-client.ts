import { queryOf, type SyncAnswer, type SyncUser } from './sync-app.js';

const UNSTABLE_SLIDING_SYNC = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';

/** One connection of a device that speaks sliding sync, in the shape of today's clients. */
export class SlidingClient {
  pos: string | undefined;

  constructor(
    readonly user: SyncUser,
    readonly connId?: string,
  ) {}

  /** A request from where the client is, whose answer it has not got (yet). */
  ask(body: object, timeout = 0): Promise<SyncAnswer> {
    const query = queryOf(this.pos === undefined ? { timeout } : { timeout, pos: this.pos });
    const connection = this.connId === undefined ? {} : { conn_id: this.connId };
    return this.user.call('POST', `${UNSTABLE_SLIDING_SYNC}?${query}`, { ...connection, ...body });
  }

  /** As `ask`, for what must succeed: the client goes on from the answer. */
  async next(body: object, timeout = 0): Promise<SyncAnswer['body']> {
    const answer = await this.ask(body, timeout);
    if (answer.status !== 200) throw new Error(`sliding sync: ${answer.status} ${JSON.stringify(answer.body)}`);
    this.pos = answer.body.pos;
    return answer.body;
  }
}

/** One that speaks the shape of MSC4186. */
export class StableSlidingClient extends SlidingClient {
  override ask(body: object, timeout = 0): Promise<SyncAnswer> {
    const { pos, connId = 'main' } = this;
    return this.user.call('POST', '/_matrix/client/v4/sync', { ...body, timeout, pos, conn_id: connId });
  }
}
