import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { MatrixError } from '#kernel/matrix-error';

/** Where the paths of API v1 are, in which nobody says who they are. */
const IDENTITY_V1 = '/_matrix/identity/api/v1';

/** Where this server is no identity server the paths of one are none, nor are those of API v1 where it does not speak that. */
@Injectable()
export class IdentityRole implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'identityRole'>) {}

  /** Throws M_UNRECOGNIZED. */
  canActivate(context: ExecutionContext): boolean {
    const { url = '' } = context.switchToHttp().getRequest<FastifyRequest>().routeOptions;
    const { identityRole } = this.config;
    const isServed = url.startsWith(IDENTITY_V1) ? identityRole?.v1 === true : identityRole !== undefined;
    if (!isServed) throw new MatrixError('M_UNRECOGNIZED', 'There is no such path');
    return true;
  }
}
