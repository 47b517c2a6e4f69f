import type { Flow } from '../../interactive-auth/flows.js';

/** A flow as 2015 has it: by its first stage, with all of them where there are several. */
export interface FlowV1 {
  readonly type: string;
  readonly stages?: Flow;
}

/** Flows as clients of 2015 are told them: by the first stage of each, and all of them where there are several. */
export function flowsV1(flows: readonly Flow[]): FlowV1[] {
  return flows.flatMap((stages): FlowV1[] => {
    const [type] = stages;
    if (type === undefined) return [];
    return [stages.length === 1 ? { type } : { type, stages }];
  });
}
