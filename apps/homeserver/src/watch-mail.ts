import type { Mailer } from '#mail/mailer';
import type { LabelledNumber, Metrics } from '#observability/metrics';

/** Adds what became of this server's mails to the metrics. */
export function watchMail(metrics: Metrics, mailer: Pick<Mailer, 'numbers'>): void {
  metrics.addCounters('annals_mails_total', 'Mails, by what became of them', ['outcome'], async () => {
    const { sent, failed } = mailer.numbers;
    return Object.entries({ sent, failed }).map(([outcome, number]): LabelledNumber => [{ outcome }, number]);
  });
  metrics.addGauges('annals_mails_waiting', 'Mails that wait for the mail server', [], async () => [
    [{}, mailer.numbers.waiting],
  ]);
}
