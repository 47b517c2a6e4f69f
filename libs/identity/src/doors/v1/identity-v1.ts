import { type CanActivate, Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { MatrixError } from '#kernel/matrix-error';

/** Where this server is no identity server, or does not speak API v1, the paths of that are none. */
@Injectable()
export class IdentityV1 implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'identityRole'>) {}

  /** Throws M_UNRECOGNIZED. */
  canActivate(): boolean {
    if (this.config.identityRole?.v1 !== true) throw new MatrixError('M_UNRECOGNIZED', 'There is no such path');
    return true;
  }
}

/** The same of look-ups in plain text, which an operator may not want. */
@Injectable()
export class PlainLookup implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'identityRole'>) {}

  /** Throws M_UNRECOGNIZED. */
  canActivate(): boolean {
    if (this.config.identityRole?.plainLookup !== true)
      throw new MatrixError('M_UNRECOGNIZED', 'There is no such path');
    return true;
  }
}
