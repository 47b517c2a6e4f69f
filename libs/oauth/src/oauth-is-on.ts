import { type CanActivate, Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { MatrixError } from '#kernel/matrix-error';

/** Where the OAuth 2.0 API is off its paths are none. */
@Injectable()
export class OAuthIsOn implements CanActivate {
  constructor(@Inject(CONFIG) private readonly config: Pick<Config, 'oauth'>) {}

  /** Throws M_UNRECOGNIZED. */
  canActivate(): boolean {
    if (!this.config.oauth) throw new MatrixError('M_UNRECOGNIZED', 'There is no such path');
    return true;
  }
}
