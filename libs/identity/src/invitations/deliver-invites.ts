import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { mayAnswerLater, PeerRefused, reasonOf } from '#kernel/peer-errors';
import { ByTheClock } from '#projections/by-the-clock';
import { AGAIN_MS, AT_LATEST_MS } from '#projections/regular-looks';
import { signJson } from '#protocol/signing/sign-json';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { Associations } from '../associations/associations.js';
import type { StoredInvite } from '../decide/invites.js';
import { FindableAssociations } from '../associations/findable-associations.js';
import { HOMESERVERS, type Homeservers } from '../homeservers.js';
import { StoredInvites } from './stored-invites.js';

/** Tells the homeservers of people whose address is known now of the invitations that waited for it: identity service API, "Invitation storage". */
@Injectable()
export class DeliverInvites extends ByTheClock {
  readonly #log = new Logger('identity');

  constructor(
    private readonly invites: StoredInvites,
    private readonly associations: Associations,
    private readonly findable: FindableAssociations,
    @Inject(HOMESERVERS) private readonly homeservers: Homeservers,
    @Inject(SIGNING_KEY) private readonly key: SigningKey,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'identityRole'>,
  ) {
    super();
  }

  /**
   * Gives whoever has an identifier, by its name, the invitations that wait for it of whom they let find them, and tells their homeserver; where that is away,
   * later again. The others they may accept by the message that they got. Answers whether there were any.
   */
  async deliver(name: string): Promise<boolean> {
    const told = await this.#deliver(name);
    if (told === 'later') this.looks.within(AGAIN_MS);
    return told !== 'none';
  }

  protected beginToLook(): void {
    if (this.config.identityRole !== undefined) this.invites.lookAfter(this.looks);
  }

  protected async doDue(): Promise<number> {
    let nextMs = AT_LATEST_MS;
    for await (const { name, isOver } of this.invites.listDue()) {
      if (this.looks.isStopped) break;
      if (isOver) await this.invites.endOver(name);
      else if ((await this.#deliver(name)) === 'later') nextMs = AGAIN_MS;
    }
    return nextMs;
  }

  protected lookFailed(error: unknown): void {
    this.#log.warn({ err: error }, 'invitations by address were not looked after');
  }

  async #deliver(name: string): Promise<'told' | 'later' | 'none'> {
    const { mxid, of } = await this.associations.holderOf(name);
    if (mxid === undefined || of === undefined) return 'none';
    const claimed = await this.invites.claimAll(name, mxid, await this.#listLetIn(name, mxid));
    if (claimed.length === 0) return 'none';
    const about = { medium: of.medium, address: of.address, mxid };
    const invites = claimed.map((invite) => this.#tell(about, invite));
    try {
      await this.homeservers.tellBound(mxid, signJson({ ...about, invites }, this.config.serverName, this.key));
    } catch (error) {
      if (mayAnswerLater(error)) {
        this.#log.warn({ reason: reasonOf(error) }, 'a homeserver is told later of invitations by address');
        return 'later';
      }
      // What it refuses it would refuse again.
      if (!(error instanceof PeerRefused)) throw error;
      this.#log.warn({ reason: reasonOf(error) }, 'a homeserver does not want invitations by address');
    }
    const tokens = claimed.map(({ token }) => token);
    await this.invites.noteTold(name, mxid, tokens);
    return 'told';
  }

  /** The tokens of those that are of whom the user lets find them: by the others they are not told of, or whoever invites would know who they are. */
  async #listLetIn(name: string, mxid: UserId): Promise<string[]> {
    const tokens: string[] = [];
    for (const { token, sender } of await this.invites.listFree(name)) {
      if (await this.findable.mayFind(mxid, sender)) tokens.push(token);
    }
    return tokens;
  }

  /** As `PUT /3pid/onbind` has it; signed is what the room that it is for looks at. */
  #tell(about: JsonObject, { token, roomId, sender }: StoredInvite): JsonObject {
    const signed = signJson({ mxid: about['mxid']!, sender, token }, this.config.serverName, this.key);
    return { ...about, room_id: roomId, sender, token, signed };
  }
}
