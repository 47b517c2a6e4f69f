import { Injectable } from '@nestjs/common';
import { stagePage } from '../../pages/stage-page.js';
import { PASSED, type PageContext, type Passage, type Stage, type StageView } from '../stage.js';
import { StageRegistry } from '../stage-registry.js';

/** `m.login.dummy`: asks for nothing. Stands only where a flow would otherwise be empty (`Flows`). */
@Injectable()
export class DummyStage implements Stage {
  readonly type = 'm.login.dummy';
  readonly rank = 100;

  constructor(registry: StageRegistry) {
    registry.add(this);
  }

  standingIn(): undefined {
    return undefined;
  }

  async pass(): Promise<Passage> {
    return PASSED;
  }

  view({ problem }: PageContext): StageView {
    return { page: stagePage({ title: 'Please confirm', problem }) };
  }
}
