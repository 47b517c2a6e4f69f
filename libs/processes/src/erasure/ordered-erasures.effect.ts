import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { DeactivateAccount } from '#accounts/commands/deactivate-account';
import { RestrictAccount } from '#accounts/commands/restrict-account';
import type { Counts, ErasureFacts, ErasureOrdered } from '#admin/facts/erasure-facts';
import { type Erasure, Erasures } from '#admin/erasures/erasures';
import { ErasuresAgain } from '#admin/erasures/erasures-again';
import type { RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import type { UserId } from '#kernel/ids';
import type { Effect } from '#projections/effects/effect';
import { ErasableAccounts } from './erasable-accounts.js';
import { ErasedContent, type OnProgress } from './erased-content.js';
import { KeptOfUser } from './kept-of-user.js';

const ORDERED: keyof ErasureFacts = 'erasure-ordered';
const NOTED: keyof ErasureFacts = 'account-erased';

/**
 * Carries out each erasure that was ordered: what the user said is redacted while they are still in their rooms, then the account is closed and all that is its
 * goes. After a crash it goes on with what is left. The list beside the log says so before anything goes.
 */
@Injectable()
export class OrderedErasures implements Effect {
  readonly name = 'ordered-erasures';

  constructor(
    private readonly commands: CommandBus,
    private readonly erasures: Erasures,
    private readonly list: ErasuresAgain,
    private readonly content: ErasedContent,
    private readonly kept: KeptOfUser,
    private readonly accounts: ErasableAccounts,
  ) {}

  keyOf(fact: RecordedFact): string | undefined {
    const { type, data } = fact;
    if ((type !== ORDERED && type !== NOTED) || isSaidAgain(fact)) return undefined;
    return (JSON.parse(data) as ErasureOrdered).user_id;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const isListed = (await this.list.note()) > 0;
    if (fact.type === NOTED) return isListed;
    const { erasure_id } = JSON.parse(fact.data) as ErasureOrdered; // written by `Erasures`
    const erasure = (await this.erasures.load()).get(erasure_id);
    if (erasure === undefined || erasure.ended !== undefined) return isListed;
    const refused = await this.accounts.refuse(erasure);
    if (refused === undefined) await this.#carryOut(erasure, fact);
    else await this.erasures.end({ erasure_id, removed: {}, kept: {}, refused });
    return true;
  }

  async #carryOut(erasure: Erasure, { position, metadata }: RecordedFact): Promise<void> {
    const { erasure_id, user_id: userId, content, here } = erasure;
    const cause = { actor: metadata.actor };
    const { deactivated } = (await this.accounts.find(userId)) ?? {};
    // Nothing more is to be said meanwhile.
    if (content === true && deactivated !== true)
      await this.commands.execute(new RestrictAccount(userId, 'locked', true, cause, true));
    if (erasure.begun === undefined) await this.erasures.begin({ erasure_id, found: await this.kept.count(userId) });
    const order = metadata.actor === 'server' ? {} : { by: metadata.actor as UserId };
    const way = { order, isTold: here !== true };
    const onProgress: OnProgress = (progress) => this.erasures.showProgress(erasure_id, progress);
    if (content === true) await this.content.redact(userId, way, onProgress);
    // Another process may have done all of it meanwhile, and the account be open again.
    const goesOn = async (): Promise<boolean> => (await this.erasures.load()).get(erasure_id)?.ended === undefined;
    if (!(await goesOn())) return;
    await this.commands.execute(new DeactivateAccount(userId, true, cause));
    await this.kept.deleteMedia(userId, goesOn);
    // Also what came in between.
    if (content === true) await this.content.redact(userId, way, onProgress);
    const said = content === true ? await this.content.clean(userId, position, onProgress) : NOTHING;
    const found = (await this.erasures.load()).get(erasure_id)?.begun?.found ?? {};
    const kept = { ...said.kept, ...(await this.kept.countKept(userId)) };
    await this.erasures.end({ erasure_id, removed: { ...said.removed, ...found }, kept });
  }
}

const NOTHING: { readonly removed: Counts; readonly kept: Counts } = Object.freeze({ removed: {}, kept: {} });
