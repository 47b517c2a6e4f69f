import { Inject, Injectable } from '@nestjs/common';
import type { UpstreamSession } from '#accounts/facts/login-facts';
import { AuthNotes } from '#accounts/interactive-auth/auth-notes';
import { APART_MS, REMEMBERED_MS } from '#accounts/sessions/upstream-ends';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';

/**
 * Log-outs at providers of which nobody is known here yet: a log-in by that session, or of that account, may be under way. They are noted before it is looked
 * again for whose it is, and whose a log-in is before it is looked here: so the one or the other is seen.
 */
@Injectable()
export class EarlyLogouts {
  constructor(
    private readonly notes: AuthNotes,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Of a session there, by its hash. */
  async noteSession(provider: string, sidHash: string): Promise<void> {
    await this.notes.useAgain(nameOf(provider, sidHash), this.clock.now() + REMEMBERED_MS);
  }

  /** Of all sessions of an account, by what stands for that. Throws M_LIMIT_EXCEEDED where there is no room: the provider says it again. */
  async noteAccount(provider: string, name: string): Promise<void> {
    const now = this.clock.now();
    const isKept = await this.notes.keep(nameOf(provider, name), { at: now }, now + REMEMBERED_MS, { isCheap: true });
    if (!isKept) throw new MatrixError('M_LIMIT_EXCEEDED', 'There is too much under way: say it again later');
  }

  /** Whether a session there has ended so since somebody showed who they are, by as much as `hasEndedSince` has it; or all of an account (`name`: what stands for that). */
  async have({ provider, sid_hash: sidHash, shown_at: shownAt = 0 }: UpstreamSession, name: string): Promise<boolean> {
    const until = sidHash === undefined ? undefined : await this.notes.usedUntil(nameOf(provider, sidHash));
    if (until !== undefined && until - REMEMBERED_MS >= shownAt - APART_MS) return true;
    const note = await this.notes.find(nameOf(provider, name));
    return note !== undefined && note !== 'used' && Number(note.content['at']) >= shownAt;
  }
}

/** Both are hashes: nobody guesses them. */
const nameOf = (provider: string, hash: string): string => `log-out at ${provider} ${hash}`;
