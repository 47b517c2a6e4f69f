import { Inject, Injectable } from '@nestjs/common';
import { ExternalIds, type OtherWays } from '#accounts/external-ids';
import type { ExternalId } from '#accounts/facts/external-id-facts';
import { PasswordAuthorities } from '#accounts/sessions/password-authorities';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { UpstreamProviders } from '#sso/upstream-providers';

/** Has somebody sign in by an account elsewhere, or no more. */
@Injectable()
export class LinkElsewhere {
  constructor(
    private readonly externalIds: ExternalIds,
    private readonly providers: UpstreamProviders,
    private readonly authorities: PasswordAuthorities,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  now(): number {
    return this.clock.now();
  }

  /** Throws M_FORBIDDEN where it is somebody else's, and as `ExternalIds.link`. */
  async link(userId: UserId, id: ExternalId, requestId: string): Promise<void> {
    const owner = await this.externalIds.find(id);
    if (owner !== undefined && owner !== userId)
      throw new MatrixError('M_FORBIDDEN', 'That account is somebody else’s here');
    await this.externalIds.link(id, userId, { actor: userId, correlation: requestId });
  }

  /** By its hash. Throws M_NOT_FOUND where it is not theirs, M_FORBIDDEN where they could not sign in any more. */
  async unlink(userId: UserId, idHash: string, requestId: string): Promise<void> {
    const hasOthersPassword = await this.authorities.areFor(userId);
    const check = ({ hasPassword, providers }: OtherWays): void => {
      const isAnother = providers.some((provider) => this.providers.find(provider) !== undefined);
      if (hasPassword || hasOthersPassword || isAnother) return;
      throw new MatrixError('M_FORBIDDEN', 'There is no other way for you to sign in: link another account before');
    };
    await this.externalIds.unlink(idHash, userId, { actor: userId, correlation: requestId }, check);
  }
}
