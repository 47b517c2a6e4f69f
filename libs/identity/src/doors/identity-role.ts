import { type CanActivate, Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { MatrixError } from '#kernel/matrix-error';

/** Where this server is no identity server the paths of one are none. */
@Injectable()
export class IdentityRole implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'identityRole'>) {}

  /** Throws M_UNRECOGNIZED. */
  canActivate(): boolean {
    if (this.config.identityRole === undefined) throw new MatrixError('M_UNRECOGNIZED', 'There is no such path');
    return true;
  }
}
