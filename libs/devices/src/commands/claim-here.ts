import { Inject, Injectable } from '@nestjs/common';
import type { ServerName, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { eachInTurns } from '#projections/each-in-turns';
import { VIEWS, type Views } from '#projections/views';
import type { GivenKey, WantedKey } from '../decide/decide-claims.js';
import { KEY_COUNTS } from '../projections/device-keys.projector.js';
import { ClaimQueue } from './claim-queue.js';

/** They share durable writes; and others ask for as many as fit into a request. */
const AT_ONCE = 256;

/** Claims keys of devices of this server. */
@Injectable()
export class ClaimHere {
  constructor(
    private readonly queue: ClaimQueue,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed'>,
  ) {}

  /** One key of each device that has any, for a user, or a server that asks on behalf of one of its users. Durable when it settles. */
  async claim(wanted: readonly WantedKey[], by: UserId | ServerName): Promise<GivenKey[]> {
    const given = await eachInTurns(wanted, AT_ONCE, ({ device, algorithm }) =>
      this.queue.claim(device, { algorithm, by }),
    );
    const last = given.reduce<Position>((latest, { position }) => (position > latest ? position : latest), START);
    await this.views.whenProcessed(last, [KEY_COUNTS.name]);
    return wanted.flatMap(({ device }, i) => {
      const key = given[i]?.key;
      return key === undefined ? [] : [{ device, key }];
    });
  }
}
