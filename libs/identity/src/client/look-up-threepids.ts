import { Injectable } from '@nestjs/common';
import { isUserId, type ServerName, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused } from '#kernel/peer-errors';
import { hashAddress, type AnyThreepid } from './hash-address.js';
import { IdentityServers } from './identity-servers.js';

/** A 3PID and whose it is. */
export interface FoundThreepid extends AnyThreepid {
  readonly userId: UserId;
}

/** So many at once. */
const BATCH = 1_000;
/** As many again may be asked as a server changes its pepper meanwhile. */
const MAX_NEW_PEPPERS = 3;

/**
 * Whose 3PIDs are, without telling the identity server which it does not know already: identity service API, "Association lookup", by sha256 and
 * nothing less.
 */
@Injectable()
export class LookUpThreepids {
  constructor(private readonly servers: IdentityServers) {}

  /**
   * Those of some 3PIDs that the server knows, in their order. Throws as IdentityServers, and M_SERVER_NOT_TRUSTED where the server would have
   * addresses told in plain text alone, or as good as that.
   */
  async run(server: ServerName, token: string, threepids: readonly AnyThreepid[]): Promise<FoundThreepid[]> {
    const found: FoundThreepid[] = [];
    let pepper = await this.#pepperOf(server, token);
    let changes = 0;
    for (let at = 0; at < threepids.length;) {
      const batch = threepids.slice(at, at + BATCH);
      const byHash = new Map(batch.map((threepid) => [hashAddress(threepid, pepper), threepid]));
      try {
        const known = await this.servers.lookup(server, token, pepper, [...byHash.keys()]);
        for (const [hash, userId] of known) if (isUserId(userId)) found.push({ ...byHash.get(hash)!, userId });
        at += BATCH;
      } catch (error) {
        const isOver = error instanceof PeerRefused && error.errcode === 'M_INVALID_PEPPER';
        if (!isOver || ++changes > MAX_NEW_PEPPERS) throw error;
        pepper = await this.#pepperOf(server, token);
      }
    }
    return found;
  }

  async #pepperOf(server: ServerName, token: string): Promise<string> {
    const { pepper, algorithms } = await this.servers.hashDetails(server, token);
    // Without a pepper the hashes of all numbers can be had ready-made: MSC2134 has clients cease then.
    if (algorithms.includes('sha256') && pepper !== '') return pepper;
    throw new MatrixError('M_SERVER_NOT_TRUSTED', 'The identity server would have addresses told in plain text');
  }
}
