import { isSameSecret } from '#kernel/is-same-secret';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { hashSecret } from '#accounts/credentials/secrets';
import { CONFIG, type Config } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import { MatrixError } from '#kernel/matrix-error';

/** Whatever the secret: it is no token, and may have blanks. */
const BEARER = /^Bearer +(.+)$/i;

/**
 * Lets the Matrix Authentication Service in and nobody else, by the secret that it shares. Where none is trusted its paths are none. It asks for all
 * of its users, and as fast as it can where it goes through them: only others are limited.
 */
@Injectable()
export class FromMas implements CanActivate {
  constructor(
    private readonly limits: RateLimits,
    @Inject(CONFIG) private readonly config: Pick<Config, 'mas'>,
  ) {}

  /** Throws M_UNRECOGNIZED, M_FORBIDDEN, M_LIMIT_EXCEEDED. */
  canActivate(context: ExecutionContext): boolean {
    const { mas } = this.config;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const [, token = ''] = BEARER.exec(request.headers.authorization ?? '') ?? [];
    if (mas !== undefined && isSameSecret(hashSecret(token), hashSecret(mas.secret))) {
      request.guarded = true; // Before `DoorGuard`, which would count it.
      return true;
    }
    this.limits.checkRequest('default', request);
    if (mas === undefined) throw new MatrixError('M_UNRECOGNIZED', 'There is no such path');
    throw new MatrixError('M_FORBIDDEN', 'This is for the authentication service alone');
  }
}
