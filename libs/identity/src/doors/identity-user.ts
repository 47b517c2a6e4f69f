import {
  applyDecorators,
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { findAccessToken } from '#http/find-access-token';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { IdentityAccounts } from '../identity-accounts.js';
import { IdentityRole } from './identity-role.js';

/** Who asks the identity server. */
export interface IdentityCaller {
  readonly userId: UserId;
  readonly token: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks the identity server, once its guard has let the request pass. */
    identityCaller?: IdentityCaller;
  }
}

const BEFORE_TERMS = Symbol('annals.BeforeTerms');

/** Lets through who has a token of the identity server, and has accepted its terms. */
@Injectable()
export class IdentityUserGuard implements CanActivate {
  constructor(private readonly accounts: IdentityAccounts) {}

  /** Throws M_UNAUTHORIZED, M_TERMS_NOT_SIGNED. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const token = findAccessToken(request);
    const userId = token === undefined ? undefined : await this.accounts.findByToken(token);
    if (token === undefined || userId === undefined) {
      throw new MatrixError('M_UNAUTHORIZED', 'A token of this identity server is required');
    }
    if (Reflect.getMetadata(BEFORE_TERMS, context.getHandler()) !== true) await this.accounts.checkTerms(userId);
    request.identityCaller = { userId, token };
    return true;
  }
}

/** Only for users of the identity server: identity service API, "Authentication". */
export function FromIdentityUser(): ClassDecorator & MethodDecorator {
  return applyDecorators(UseGuards(IdentityRole, IdentityUserGuard)) as ClassDecorator & MethodDecorator;
}

/** Also for who has not accepted the terms yet. */
export function BeforeTerms(): MethodDecorator {
  return SetMetadata(BEFORE_TERMS, true);
}

/** Who asks, behind `@FromIdentityUser()`. Throws M_UNAUTHORIZED where nobody is known, so that a forgotten guard refuses. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext): IdentityCaller => {
  const { identityCaller } = context.switchToHttp().getRequest<FastifyRequest>();
  if (identityCaller === undefined) throw new MatrixError('M_UNAUTHORIZED');
  return identityCaller;
});
