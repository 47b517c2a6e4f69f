import { Controller, Get, Query, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type Query as QueryOfUrl, queryInteger, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import { IdentityFeed, type FeedPage } from '../replication/identity-feed.js';
import { FEED_PATH, IdentityPeers } from '../replication/identity-peers.js';
import { IdentityRole } from './identity-role.js';

/** What this identity server says of identifiers, for those that it trusts: by the keys that the operator has given for them, and nobody else. */
@UseGuards(IdentityRole)
@Controller()
export class ReplicationController {
  constructor(
    private readonly feed: IdentityFeed,
    private readonly peers: IdentityPeers,
  ) {}

  /** Throws M_UNAUTHORIZED, also for what was signed at another time. */
  @RateLimited('default')
  @Get(FEED_PATH.slice(1))
  read(@Req() request: FastifyRequest, @Query() query: QueryOfUrl): Promise<FeedPage> {
    const { authorization = '' } = request.headers;
    if (this.peers.findOrigin(authorization, request.url) === undefined) {
      throw new MatrixError('M_UNAUTHORIZED', 'The request is not signed by an identity server that is trusted here');
    }
    if (!this.peers.isTimely(queryInteger(query, 'ts'))) {
      throw new MatrixError('M_UNAUTHORIZED', 'ts: must be the time of now; one of the two clocks may be wrong');
    }
    return this.feed.read(queryText(query, 'after'));
  }
}
