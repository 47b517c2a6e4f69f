import { Injectable } from '@nestjs/common';
import type { JsonObject } from '#kernel/json';
import { stagePage } from '../../pages/stage-page.js';
import { ALL_OF_IT, areTicked, termsFields } from '../../pages/terms-fields.js';
import { Terms } from '../../terms/terms.js';
import type { Purpose } from '../auth-sessions.js';
import { StageFailed } from '../interaction-required.js';
import type { PageContext, Passage, Stage, StageView, Standing } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';

/** `m.login.terms`: who registers accepts documents (client-server API, "Terms of service at registration"). Which versions they were shown is noted with the account. */
@Injectable()
export class TermsStage implements Stage {
  readonly type = 'm.login.terms';
  readonly rank = 30;

  constructor(
    registry: StageRegistry,
    private readonly terms: Terms,
  ) {
    registry.add(this);
  }

  standingIn(purpose: Purpose): Standing | undefined {
    return purpose === 'registration' && this.terms.areThere ? 'required' : undefined;
  }

  params(): JsonObject {
    return { policies: this.terms.policies };
  }

  /** A page says what was ticked; a client says nothing more than that all of it was accepted. */
  async pass({ ticked, ...auth }: JsonObject): Promise<Passage> {
    const isOfPage = ticked !== undefined;
    if (isOfPage && !areTicked(this.terms.documents, (name) => auth[name])) {
      throw new StageFailed('M_FORBIDDEN', ALL_OF_IT);
    }
    return { isComplete: true, learnt: { acceptedTerms: this.terms.versions } };
  }

  view({ problem }: PageContext): StageView {
    const fields = termsFields(this.terms.documents);
    return { page: stagePage({ title: 'Terms of this server', fields, problem }) };
  }
}
