import { Injectable } from '@nestjs/common';
import type { JsonObject } from '#kernel/json';
import type { Operation } from './auth-sessions.js';
import { Flows } from './flows.js';
import { StageRegistry } from './stage-registry.js';

/** How today's clients can log in (client-server API, "Login"). */
@Injectable()
export class OfferedLogins {
  constructor(
    private readonly flows: Flows,
    private readonly stages: StageRegistry,
  ) {}

  /** For GET /login. What takes several stages is not among them, for today's clients send one request: they are shown the page. */
  list(): JsonObject[] {
    const alone = this.flows.toLogIn('today').filter((flow) => flow.length === 1);
    return alone.flat().map((type) => ({ type, ...this.stages.get(type).about?.() }));
  }

  get operation(): Operation {
    return { name: 'POST /login', purpose: 'login', flows: this.flows.toLogIn('today') };
  }
}
