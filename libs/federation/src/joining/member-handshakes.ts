import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { MatrixError } from '#kernel/matrix-error';
import { MakeMembership, type MemberTemplate } from '#rooms/commands/make-membership';
import { type MembershipTaken, TakeMembership, type TakenMembership } from '#rooms/commands/take-membership';
import { KeyRing } from '../keys/key-ring.js';
import { takeWithKeys } from './take-with-keys.js';

/** Our side of the handshakes by which users of other servers join, leave and knock. */
@Injectable()
export class MemberHandshakes {
  constructor(
    private readonly bus: CommandBus,
    private readonly keys: KeyRing,
  ) {}

  /** What their server is to sign, as `MakeMembership`. */
  make(command: MakeMembership): Promise<MemberTemplate> {
    return this.bus.execute<MakeMembership, MemberTemplate>(command);
  }

  /** What it has signed, as `TakeMembership`; keys that lack are fetched. Throws M_FORBIDDEN too where there are none. */
  async take(command: TakeMembership): Promise<TakenMembership> {
    const take = (): Promise<MembershipTaken> => this.bus.execute<TakeMembership, MembershipTaken>(command);
    const taken = await takeWithKeys<TakenMembership>(this.keys, take);
    if (taken === undefined) throw new MatrixError('M_FORBIDDEN', 'The key that signed the event is not known');
    return taken;
  }
}
