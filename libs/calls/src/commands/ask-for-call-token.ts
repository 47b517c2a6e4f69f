import { Inject, Injectable } from '@nestjs/common';
import type { CallTokenRequest } from '#federation/calls/call-tokens';
import { Peers } from '#federation/peers/peers';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { VIEWS, type Views } from '#projections/views';
import { isServerIn } from '#rooms/reading/server-standing';
import { GrantCallToken } from './grant-call-token.js';

/** As it is called until it is part of the specification. */
const PATH = '/_matrix/federation/unstable/io.element.msc4195/rtc/livekit/get_token';
const TIMEOUT_MS = 10_000;
const MOST_BYTES = 64 * 1024;
/** The refusals that clients are told of, by their status. */
const TOLD = { M_FORBIDDEN: 403, M_INVALID_PARAM: 400 } as const;

/** Has another server give a user of this one a token for calls that are carried there: MSC4195, "Acquiring LiveKit access tokens". */
@Injectable()
export class AskForCallToken {
  constructor(
    private readonly peers: Peers,
    private readonly granting: GrantCallToken,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /**
   * The token. Throws M_FORBIDDEN where the user or the server is not in the room, M_FORBIDDEN and M_INVALID_PARAM where that server says so, and
   * M_UNKNOWN with status 502 where it gives none for any other reason.
   */
  async ask(server: ServerName, userId: UserId, request: CallTokenRequest): Promise<string> {
    const { url, roomId, slotId, memberId } = request;
    await this.granting.checkMayCall(userId, roomId);
    // Else anybody could have any server spoken to.
    if (!(await isServerIn(this.views, roomId, server))) {
      throw new MatrixError('M_FORBIDDEN', `${server} is not in this room`);
    }
    const content = { user_id: userId, url, room_id: roomId, slot_id: slotId, member_id: memberId };
    const { jwt } = await this.#ask(server, content);
    if (typeof jwt !== 'string') throw noToken(server);
    return jwt;
  }

  async #ask(server: ServerName, content: JsonObject): Promise<JsonObject> {
    const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MOST_BYTES, insists: true };
    try {
      return await this.peers.ask(server, { method: 'POST', path: PATH, content, ...limits });
    } catch (error) {
      if (error instanceof PeerRefused) {
        for (const errcode of ['M_FORBIDDEN', 'M_INVALID_PARAM'] as const) {
          if (error.errcode === errcode && error.status === TOLD[errcode]) {
            throw new MatrixError(errcode, `${server} refused the token`);
          }
        }
      }
      if (error instanceof PeerRefused || error instanceof PeerUnavailable) throw noToken(server);
      throw error;
    }
  }
}

const noToken = (server: ServerName): MatrixError =>
  new MatrixError('M_UNKNOWN', `${server} gave no token`, { status: 502 });
