import { NoSuchReport, type Reports } from '#admin/reports/reports';
import { MatrixError } from '#kernel/matrix-error';
import type { ControlMethod } from '#projections/control-server';

/** What the command line can have done with reports while the server runs; what there are it reads in the log. */
export function reportMethods(reports: Reports): Readonly<Record<string, ControlMethod>> {
  return {
    'reports.close': async ({ method, id }) => {
      if (typeof id !== 'number') throw new Error(`${method}: which report?`);
      await reports.close(id).catch((error: unknown) => {
        throw error instanceof NoSuchReport ? new MatrixError('M_NOT_FOUND', error.message) : error;
      });
      return id;
    },
  };
}
