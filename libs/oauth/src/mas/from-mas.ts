import { isSameSecret } from '#kernel/is-same-secret';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { hashSecret } from '#accounts/credentials/secrets';
import { CONFIG, type Config } from '#config/config';
import { MatrixError } from '#kernel/matrix-error';

/** Whatever the secret: it is no token, and may have blanks. */
const BEARER = /^Bearer +(.+)$/i;

/** Lets the Matrix Authentication Service in and nobody else, by the secret that it shares. Where none is trusted its paths are none. */
@Injectable()
export class FromMas implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'mas'>) {}

  /** Throws M_UNRECOGNIZED, M_FORBIDDEN. */
  canActivate(context: ExecutionContext): boolean {
    const { mas } = this.config;
    if (mas === undefined) throw new MatrixError('M_UNRECOGNIZED', 'There is no such path');
    const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
    const [, token = ''] = BEARER.exec(headers.authorization ?? '') ?? [];
    if (isSameSecret(hashSecret(token), hashSecret(mas.secret))) return true;
    throw new MatrixError('M_FORBIDDEN', 'This is for the authentication service alone');
  }
}
