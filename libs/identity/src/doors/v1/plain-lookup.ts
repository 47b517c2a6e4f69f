import { type CanActivate, Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { MatrixError } from '#kernel/matrix-error';

/** Where the operator wants no look-ups in plain text, or this is no identity server, their paths are none. */
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
